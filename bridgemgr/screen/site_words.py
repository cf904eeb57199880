"""The texts that the site's scripts show, by the keys they use; ``<key>_one`` and ``<key>_many`` where they count."""

from collections.abc import Mapping

from bridgemgr.screen.language import N_

WORDS: Mapping[str, str] = {
    "title": N_("Check-in of the site"),
    "file_name": N_("receipts"),
    "call": N_("Call"),
    # when
    "today": N_("today"),
    "tomorrow": N_("tomorrow"),
    "span_days": N_("{days} d {hours} h"),
    "span_hours": N_("{hours} h {minutes} min"),
    "span_minutes": N_("{minutes} min"),
    "when_start": N_("{time} {day}, in {span}"),
    "when_due": N_("{time} {day}, about to start"),
    "when_live": N_("in progress since {time}"),
    "when_ended": N_("ended at {time}"),
    "unlisted": N_("The centre does not list your site for this code; it decides about what you send."),
    # the banner
    "no_storage": N_(
        "This browser keeps nothing, so that nothing can be sent safely. Close the private window, free some space,"
        " or take another browser; or call the centre."
    ),
    "revoked_one": N_(
        "The access of this device is not valid any more. 1 message waits and stays on this device. Ask the office"
        " for a new code and enter it here: then it is sent."
    ),
    "revoked_many": N_(
        "The access of this device is not valid any more. {count} messages wait and stay on this device. Ask the"
        " office for a new code and enter it here: then they are sent."
    ),
    "revoked_none": N_("The access of this device is not valid any more. Ask the office for a new code."),
    "offline_one": N_("No network. 1 message waits, is kept on this device and will be sent when the line is back."),
    "offline_many": N_(
        "No network. {count} messages wait, are kept on this device and will be sent when the line is back."
    ),
    "offline_none": N_("No network. What you tap now is kept on this device and sent when the line is back."),
    "busy_one": N_("The centre cannot take it now. 1 message is kept on this device and will be sent again."),
    "busy_many": N_("The centre cannot take it now. {count} messages are kept on this device and will be sent again."),
    "busy_none": N_("The centre does not answer properly now. The page keeps trying."),
    "sending_one": N_("Sending 1 message …"),
    "sending_many": N_("Sending {count} messages …"),
    "all_received": N_("The centre has everything. Last received {time}."),
    "promise_kept": N_("The centre does not know it yet: if it is urgent, call. The browser keeps it until then."),
    "promise_plain": N_(
        "The centre does not know it yet: if it is urgent, call. Do not clear the browser's data until it is sent."
    ),
    "other_site_one": N_(
        "1 message of the site {site} waits on this device. It is sent only when the device is set up for {site}"
        " again, never in the name of another site."
    ),
    "other_site_many": N_(
        "{count} messages of the site {site} wait on this device. They are sent only when the device is set up for"
        " {site} again, never in the name of another site."
    ),
    "clock_slow": N_("This device's clock is {minutes} min slow. Times are recorded by it all the same; set it."),
    "clock_fast": N_("This device's clock is {minutes} min fast. Times are recorded by it all the same; set it."),
    "insecure": N_(
        "Opened without encryption (http): this page cannot be installed and does not open without a network. Keep"
        " it open, or ask the office for the https address."
    ),
    # setting up
    "code_mistyped": N_("This code is mistyped or cut off. Copy all of it, from bmg_enrol_ to its end."),
    "code_used": N_(
        "This code was used already: it sets up one device. Ask the office that gave it to you for a new one, and if"
        " nobody at your site has used it, say so; the number stands on your sheet."
    ),
    "code_expired": N_(
        "This code has expired, or a newer sheet has taken its place. Take the latest sheet, or ask the office that"
        " gave it to you for a new one; the number stands on your sheet."
    ),
    "code_unknown": N_(
        "The centre does not know this code. Compare it with your sheet, or ask the office that gave it to you for a"
        " new one; the number stands on your sheet."
    ),
    "code_no_network": N_(
        "No network: the device is not set up yet. Try again when the line is back; if the code is then called used,"
        " ask the office for a new one."
    ),
    "code_busy": N_("The centre cannot take it now. Try again in a minute."),
    "already": N_("Until now this device speaks for {site}."),
    "device_of": N_("{site} ({code}), on the device {name}"),
    "sign_out_none": N_("Nothing waits here."),
    "sign_out_one": N_(
        "1 message still waits: it stays here, without names, and is sent by whoever sets this device up for {site}"
        " next."
    ),
    "sign_out_many": N_(
        "{count} messages still wait: they stay here, without names, and are sent by whoever sets this device up for"
        " {site} next."
    ),
    "left_given": N_("Signed out. The access of this device is revoked at the centre too."),
    "left_stays": N_(
        "Signed out on this device. The centre was not told: there the access stays valid until an operator revokes it."
    ),
    "keeps_firmly": N_("The browser has promised to keep messages, even when space runs short."),
    "keeps_plainly": N_(
        "The browser keeps messages, but may clear them when space runs short or its data is cleared. Putting the"
        " page on the home screen helps."
    ),
    # headcount
    "expected": N_("expected: {count}"),
    "check_in_unknown": N_("Check in"),
    "check_in_one": N_("Check in 1 delegate"),
    "check_in_many": N_("Check in {count} delegates"),
    "send_count_one": N_("Correct to 1 delegate"),
    "send_count_many": N_("Correct to {count} delegates"),
    "checked_in_one": N_("1 delegate checked in"),
    "checked_in_many": N_("{count} delegates checked in"),
    "centre_counts_one": N_("The centre counts 1 delegate: another device or an operator said so."),
    "centre_counts_many": N_("The centre counts {count} delegates: another device or an operator said so."),
    # the line test
    "line_asked": N_("asked for now"),
    "line_told": N_("reported"),
    "line_before": N_("Last time: {what}"),
    "picture_works": N_("the picture works"),
    "picture_fails": N_("the picture does not work"),
    "sound_works": N_("the sound works"),
    "sound_fails": N_("the sound does not work"),
    "backup_works": N_("the backup line works"),
    "backup_fails": N_("the backup line does not work"),
    "no_backup": N_("we have no backup line"),
    "told_test": N_("Line test: {what}"),
    # the whole site
    "absent_because": N_("Reported absent: {reason}"),
    # where a message is
    "waits": N_("waits"),
    "waits_since": N_("recorded {time}, waits on this device"),
    "sent_received": N_("sent {sent} · received by the centre {received}"),
    "recorded_received": N_("recorded {recorded} · received by the centre {received}"),
    "entered_elsewhere": N_("recorded {time}, on another device or by the centre"),
    "admitted": N_("admitted by the centre"),
    "dismissed": N_("not admitted by the centre: {reason}"),
    "held": N_("kept by the centre, not counted yet: {reason}"),
    "refused": N_("received, but not counted: {reason}"),
    # what a message says
    "delegates_one": N_("1 delegate"),
    "delegates_many": N_("{count} delegates"),
    "told_ready": N_("Ready"),
    "told_end": N_("End of your part"),
    "told_in_person": N_("Delegate {number}: in the room"),
    "told_online": N_("Delegate {number}: online"),
    "told_left": N_("Delegate {number}: left"),
    "told_excused": N_("Delegate {number}: absent with leave"),
    "told_site_absent": N_("We cannot take part"),
    "told_back": N_("We can take part after all"),
    "told_absent": N_("Delegate {number}: absent without leave"),
    # the roster
    "tally": N_("{present} of {all} present"),
    "all_one": N_("Mark 1 present in the room"),
    "all_many": N_("Mark all {count} present in the room"),
    "others_one": N_("Mark the other one present in the room"),
    "others_many": N_("Mark the other {count} present in the room"),
    "present_named": N_("{name} is present in the room"),
    "state_named": N_("{name}: present, online or absent"),
    "state_none": N_("no word yet"),
    "state_in_person": N_("in the room"),
    "state_online": N_("online"),
    "state_excused": N_("absent with leave"),
    "state_absent": N_("absent without leave"),
    "state_left": N_("has left"),
    "reason": N_("Why"),
    "reason_named": N_("{name}: reason of the absence"),
    "reason_save": N_("Save"),
    "delegate": N_("Delegate {number}"),
}

# What the service remarks on a check-in, as its rooms write it.
NOTES: tuple[str, ...] = (
    N_("There is no conference with this code. It is kept until an operator decides."),
    N_("This site is not on the conference's list. It is kept until an operator admits it."),
    N_("The conference is closed: its minutes are signed. It is kept until an operator decides."),
    N_("The conference is still a draft."),
    N_("The conference is cancelled."),
    N_("There is no delegate with this number on the bridge's roster."),
    N_("This event_id was used before for something else. Make a new one for each event."),
)
