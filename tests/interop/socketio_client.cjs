// The reference client of Socket.IO 4 at work. The job is the first argument:
// {url, path, query?, transports?, emit?: [{event, data}]}
// It tells JSON lines: {connected: id}, {refused: message}, {event, data}, {acknowledged, with},
// {disconnected: reason}, {reconnecting: attempt}, {heartbeat}, {upgraded: transport}. After each connect it emits the job's events, and what it reads on
// its stdin, {event, data} a line, at once. At the end of its stdin it disconnects.
"use strict";

const { io } = require("socket.io-client");
const { createInterface } = require("node:readline");

const job = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const socket = io(job.url, {
  path: job.path,
  query: job.query,
  ...(job.transports && { transports: job.transports }),
  reconnectionDelay: 20,
  reconnectionDelayMax: 50,
});

function emit({ event, data }) {
  socket.emit(event, data, (...answer) => say({ acknowledged: event, with: answer }));
}

socket.on("connect", () => {
  say({ connected: socket.id });
  (job.emit || []).forEach(emit);
});
socket.on("connect_error", (error) => say({ refused: error.message }));
socket.on("disconnect", (reason) => say({ disconnected: reason }));
socket.io.on("reconnect_attempt", (attempt) => say({ reconnecting: attempt }));
socket.io.on("open", () => socket.io.engine.on("upgrade", (transport) => say({ upgraded: transport.name })));
socket.io.on("ping", () => say({ heartbeat: true }));
socket.onAny((event, ...data) => say({ event, data }));

createInterface({ input: process.stdin })
  .on("line", (line) => emit(JSON.parse(line)))
  .on("close", () => {
    socket.disconnect();
    process.stdout.write("", () => process.exit(0)); // after all that was told
  });
