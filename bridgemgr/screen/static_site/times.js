// Clocks and calendars: times in the zone of the conference, 24 hours, the same digits in every language.

import { language, say } from "./words.js";

const MINUTE = 60 * 1000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function two(number) {
  return (number < 10 ? "0" : "") + number;
}

/** A moment by the device's own clock with its offset, as the service wants it: 2026-03-02T07:48:12.345+07:00. */
export function stamp(date) {
  const ahead = -date.getTimezoneOffset();
  const offset = (ahead < 0 ? "-" : "+") + two(Math.floor(Math.abs(ahead) / 60)) + ":" + two(Math.abs(ahead) % 60);
  return new Date(date.getTime() + ahead * MINUTE).toISOString().replace("Z", offset);
}

/** A moment that the service wrote, in milliseconds; of its six decimals not every browser reads all. */
export function instant(text) {
  return Date.parse(text.replace(/(\.\d{3})\d+/, "$1"));
}

function written(moment, zone, fields) {
  // en-GB writes midnight as 00; what the other languages write differs among browsers.
  const date = new Date(typeof moment === "string" ? instant(moment) : moment);
  return new Intl.DateTimeFormat("en-GB", Object.assign({ timeZone: zone }, fields)).format(date);
}

/** Hours, minutes and seconds. */
export function clock(moment, zone) {
  return written(moment, zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** Hours and minutes. */
export function minute(moment, zone) {
  return written(moment, zone, { hour: "2-digit", minute: "2-digit" });
}

function day(moment, zone) {
  return written(moment, zone, { year: "numeric", month: "2-digit", day: "2-digit" });
}

/** "today", "tomorrow", or the weekday and date, in words. */
export function dayWord(moment, now, zone) {
  if (day(moment, zone) === day(now, zone)) return say("today");
  if (day(moment, zone) === day(now + DAY, zone)) return say("tomorrow");
  const fields = { timeZone: zone, weekday: "long", day: "numeric", month: "numeric" };
  return new Intl.DateTimeFormat(language() + "-u-nu-latn", fields).format(new Date(moment));
}

/** A span in milliseconds as people say it, cut to whole minutes. */
export function span(length) {
  if (length >= DAY) {
    return say("span_days", { days: Math.floor(length / DAY), hours: Math.floor((length % DAY) / HOUR) });
  }
  if (length >= HOUR) {
    return say("span_hours", { hours: Math.floor(length / HOUR), minutes: Math.floor((length % HOUR) / MINUTE) });
  }
  return say("span_minutes", { minutes: Math.max(1, Math.ceil(length / MINUTE)) });
}
