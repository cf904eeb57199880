// Follows a board's event stream. After every (re)connect it fetches the snapshot, so that a break costs nothing.

const SILENCE_MS = 40_000; // the server beats every 15 s
const RETRY_MS = 3_000;
const GONE = [401, 403, 404]; // signed out, or the conference is not to be seen any more

/**
 * @param {{events: string, snapshot: string}} from addresses
 * @param {{take: function(object, boolean), refresh: function(), state: function(string, Date)}} to
 *   take(document, whole): cells and figures that changed, or all of them; refresh(): the page itself changed;
 *   state("joining" | "live" | "lost", since).
 */
export function follow(from, to) {
  let source = null;
  let heard = new Date();
  let reading = 0;
  let silence = 0;
  let retry = 0;

  function hear() {
    heard = new Date();
    clearTimeout(silence);
    silence = setTimeout(again, SILENCE_MS);
  }

  function lose() {
    reading += 1; // a snapshot still on its way is not to say "live" any more
    to.state("lost", heard);
  }

  function again() {
    lose();
    clearTimeout(silence);
    clearTimeout(retry);
    source.close();
    retry = setTimeout(connect, RETRY_MS);
  }

  // The server refused the stream, and does not say why to an EventSource.
  async function askWhy() {
    const answer = await fetch(from.snapshot, { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer && GONE.includes(answer.status)) to.refresh();
  }

  async function fetchAll() {
    const mine = ++reading;
    try {
      const answer = await fetch(from.snapshot, { headers: { Accept: "application/json" } });
      if (GONE.includes(answer.status)) {
        to.refresh();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const everything = await answer.json();
      if (mine !== reading) return;
      to.take(everything, true);
      hear();
      to.state("live", heard);
    } catch {
      if (mine === reading) again();
    }
  }

  function connect() {
    to.state("joining", heard);
    source = new EventSource(from.events);
    source.addEventListener("open", () => {
      hear();
      fetchAll();
    });
    source.addEventListener("beat", hear);
    source.addEventListener("bridges", (message) => {
      hear();
      to.take(JSON.parse(message.data), false);
    });
    source.addEventListener("resync", () => {
      hear();
      fetchAll();
    });
    source.addEventListener("refresh", () => {
      hear();
      to.refresh();
    });
    source.addEventListener("error", () => {
      // The browser tries again by itself, unless the server refused.
      if (source.readyState === EventSource.CLOSED) {
        again();
        askWhy();
      } else {
        lose();
      }
    });
  }

  connect();
}
