// The countdown, by the server's clock: a wall of screens shows the same second whatever each thinks it is.

let shift = 0; // milliseconds to add to this machine's clock
let timer = 0;

/** Runs the countdown of the page; to be called again when the page's header was replaced. */
export function runClock() {
  clearInterval(timer);
  const time = document.getElementById("countdown");
  if (!time) return;
  shift = Date.parse(time.dataset.now) - Date.now();
  const start = Date.parse(time.dateTime);
  const face = time.querySelector("bdi");
  const tick = () => {
    const seconds = Math.floor((Date.now() + shift - start) / 1000);
    const left = Math.abs(seconds);
    const two = (number) => String(number).padStart(2, "0");
    const days = Math.floor(left / 86_400);
    const far = seconds < 0 ? time.dataset.left : time.dataset.gone;
    const text = days
      ? far.replace("{days}", days).replace("{hours}", Math.floor(left / 3600) % 24)
      : (seconds < 0 ? "−" : "+") + `${two(Math.floor(left / 3600))}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
    if (face.textContent !== text) face.textContent = text;
    face.dir = days ? "auto" : "ltr"; // words run as the language does, a clock never turns around
    document.getElementById("before").hidden = seconds >= 0;
    document.getElementById("after").hidden = seconds < 0;
  };
  tick();
  timer = setInterval(tick, 1000);
}

/** A moment as HH:MM:SS in an IANA zone, by the server's clock. */
export function timeIn(zone, moment) {
  const parts = { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat("en-GB", parts).format(new Date(moment.getTime() + shift));
}
