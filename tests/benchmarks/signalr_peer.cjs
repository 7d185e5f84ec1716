// What one would take instead of `mon book b2trader`: the reference client, every update printed as a line.
// node signalr_peer.cjs URL stream|book      stream: each message as it came; book: merged, and its best 20 levels
"use strict";

const signalR = require("@microsoft/signalr");

const [url, what] = process.argv.slice(2);
const sides = { bids: new Map(), asks: new Map() };

function best(side, descending) {
  const rows = [...side.entries()].map(([price, amount]) => [Number(price), amount]);
  rows.sort((one, other) => (descending ? other[0] - one[0] : one[0] - other[0]));
  return rows.slice(0, 20).map(([price, size]) => ({ price, size: Number(size) }));
}

function merge(item) {
  for (const [name, side] of Object.entries(sides)) {
    if (item.snapshot) side.clear();
    for (const row of item[name]) {
      if (Number(row.amount)) side.set(row.price, row.amount);
      else side.delete(row.price);
    }
  }
  return { sequence: Number(item.version), bids: best(sides.bids, true), asks: best(sides.asks, false) };
}

const connection = new signalR.HubConnectionBuilder()
  .withUrl(url, { transport: signalR.HttpTransportType.WebSockets, skipNegotiation: true })
  .configureLogging(signalR.LogLevel.None)
  .build();

connection.start().then(() => {
  connection.stream("Book", {}).subscribe({
    next: (item) => {
      const line = what === "book" ? merge(item) : { sequence: Number(item.version), ...item };
      process.stdout.write(JSON.stringify(line) + "\n");
    },
    error: () => process.exit(1),
    complete: () => process.exit(0),
  });
});
