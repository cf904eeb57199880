// IndexedDB: the device's own keeping. A change is done when its transaction has completed, not before.

const NAME = "bridgemgr-site";
const VERSION = 1;

let opening = null;

function open() {
  if (opening === null) {
    opening = new Promise((resolve, reject) => {
      const request = window.indexedDB.open(NAME, VERSION);
      request.onupgradeneeded = () => {
        const database = request.result;
        database.createObjectStore("settings"); // device, seq, site
        database.createObjectStore("queue", { keyPath: "event_id" });
        database.createObjectStore("receipts", { keyPath: "event_id" });
      };
      request.onsuccess = () => {
        const database = request.result;
        // A newer page in another tab must not wait for this one; the next use opens it anew.
        database.onversionchange = () => {
          database.close();
          opening = null;
        };
        database.onclose = () => {
          opening = null;
        };
        resolve(database);
      };
      request.onerror = () => reject(request.error);
    });
    opening.catch(() => {
      opening = null;
    });
  }
  return opening;
}

/**
 * Run one transaction.
 * @param {string[]} stores names of the stores it uses
 * @param {"readonly"|"readwrite"} mode two read-write transactions over a store take turns, in all tabs
 * @param {function(object, function)} work gets the stores by name, and `give` for what the promise resolves to
 */
export function transact(stores, mode, work) {
  return open().then(
    (database) =>
      new Promise((resolve, reject) => {
        // "strict" waits for the disk where the browser knows it (Chrome 83 on), and is ignored elsewhere.
        const transaction = database.transaction(stores, mode, { durability: "strict" });
        const byName = {};
        let given;
        transaction.oncomplete = () => resolve(given);
        transaction.onabort = () => reject(transaction.error || new Error("the transaction was aborted"));
        stores.forEach((name) => {
          byName[name] = transaction.objectStore(name);
        });
        work(byName, (value) => {
          given = value;
        });
      }),
  );
}

/** Hand the result of a request on; only within a transaction's `work`. */
export function got(request, use) {
  request.onsuccess = () => use(request.result);
}
