// The reference client at work. The job is the first argument:
// {url, token?, negotiate, reconnect?, streams: [{target, arguments}], count?}
// It tells JSON lines: {connected}, {stream, item}, {stream, error | completed}, {received} (raw messages),
// {cancelled: stream}, {reconnecting | reconnected | closed | failed}. With a count each stream is cancelled after so
// many items; at the end of its stdin every other stream is cancelled, and the connection stopped.
"use strict";

const signalR = require("@microsoft/signalr");

const job = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// Only the transport sees a completion that answers a cancel; it logs what it receives.
const logger = {
  log(level, message) {
    const found = /data received\. .*Content: '([^]*)'/.exec(message);
    if (found) say({ received: found[1] });
  },
};

const options = { transport: signalR.HttpTransportType.WebSockets, skipNegotiation: !job.negotiate, logMessageContent: true };
if (job.token) options.accessTokenFactory = () => job.token;

const builder = new signalR.HubConnectionBuilder().withUrl(job.url, options).configureLogging(logger);
if (job.reconnect) builder.withAutomaticReconnect([0, 50, 100]);
const connection = builder.build();

const running = new Map();

function cancel(number) {
  if (running.has(number)) {
    running.get(number).dispose();
    running.delete(number);
    say({ cancelled: number });
  }
}

function start(stream, number) {
  let count = 0;
  const subscription = connection.stream(stream.target, ...stream.arguments).subscribe({
    next(item) {
      say({ stream: number, item });
      count += 1;
      if (count === job.count) cancel(number);
    },
    complete() {
      say({ stream: number, completed: true });
    },
    error(error) {
      say({ stream: number, error: error.message });
    },
  });
  running.set(number, subscription);
}

connection.onclose((error) => say({ closed: error ? error.message : null }));
connection.onreconnecting((error) => say({ reconnecting: error ? error.message : null }));
connection.onreconnected(() => say({ reconnected: true }));

process.stdin.resume();
process.stdin.on("end", async () => {
  for (const number of [...running.keys()]) cancel(number);
  // The answers to the cancels come before the answer to this call, which no hub knows.
  await connection.invoke("none").catch(() => {});
  await connection.stop();
  process.stdout.write("", () => process.exit(0)); // after all that was told
});

connection
  .start()
  .then(() => {
    say({ connected: true });
    job.streams.forEach(start);
  })
  .catch((error) => {
    say({ failed: error.message });
    process.exit(1);
  });
