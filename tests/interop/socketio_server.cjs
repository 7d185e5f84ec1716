// A reference server of any version of Socket.IO at work, as a hub of the NBT document's shape. The job is the first
// argument: {package, port?, options?}. It tells JSON lines: {listening: port}, {connected: query}, {heartbeat: what
// came in}, {event, arguments, wants: an acknowledgement}, {acknowledged: [...]}, {disconnected: reason}; it is told:
//   {emit: name, arguments, ack?}   emit to everybody, and tell what is acknowledged
//   {binary: name, bytes: [...]}    emit an event with each of these texts as a binary attachment
//   {packets: [[type, data?]]}      write these Engine.IO packets
//   {put_out: true}                 disconnect everybody from the namespace
//   {empty: true}                   tell the same once nobody is connected any more
// What becomes of who comes is for the first word of its key: "good" comes in, and who has none; "slow" too, later than a client waits to
// tell the generations apart; "early" with an event before that; "banned" is refused with data beside the words,
// "forbidden" with an HTTP status, all others with words.
"use strict";

const http = require("http");

const job = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const exported = require(job.package);
const Server = exported.Server || exported; // 2 exports the class itself

const web = http.createServer((request, response) => response.writeHead(404).end("no such page"));
const io = new Server(web, {
  serveClient: false,
  ...job.options,
  allowRequest(request, answer) {
    const forbidden = new URL(request.url, "http://hub").searchParams.get("key") === "forbidden";
    answer(forbidden ? (Server === exported ? 4 : "this key is banned") : null, !forbidden);
  },
});

function admit(socket, next) {
  switch (String(socket.handshake.query.key).split("-")[0]) {
    case "good":
    case "undefined": // JayX has none in its URL
      return next();
    case "slow":
      return setTimeout(next, 800);
    case "early":
      socket.emit("early", { at: 1 });
      return next();
    case "banned": {
      const refusal = new Error("The account is closed");
      refusal.data = { code: 7 };
      return next(refusal);
    }
    default:
      return next(new Error("The key is not known"));
  }
}

// What one sends is not what the others receive.
function relayed(sent, name) {
  const { key, buy_price, sell_price, ...rest } = sent;
  const price = buy_price !== undefined ? buy_price : sell_price;
  const signal = { userid: "1472", nickname: "hub", stratid: "681", ...rest, new: name === "buy_signal", score: "NA" };
  if (price !== undefined) signal.price = String(price);
  return signal;
}

function serve(socket) {
  say({ connected: socket.handshake.query });
  socket.conn.on("packet", (packet) => {
    if (packet.type === "ping" || packet.type === "pong") say({ heartbeat: packet.type });
  });
  socket.on("disconnect", (reason) => say({ disconnected: reason }));
  const signals = ["buy_signal", "sell_signal", "traded_buy_signal", "traded_sell_signal"];
  for (const name of [...signals, "hello", "orderbook", "openorders"]) {
    socket.on(name, (...received) => {
      const answer = typeof received[received.length - 1] === "function" ? received.pop() : null;
      say({ event: name, arguments: received, wants: answer !== null });
      if (answer) answer("got it", received.length);
      if (signals.includes(name)) socket.broadcast.emit(name, relayed(received[0], name));
    });
  }
}

io.use(admit);
io.on("connection", serve);
io.of("/other").on("connection", () => {});

function everybody() {
  const sockets = io.of("/").sockets;
  return sockets instanceof Map ? [...sockets.values()] : Object.values(sockets);
}

function tellWhenEmpty() {
  if (io.engine.clientsCount > 0) setTimeout(tellWhenEmpty, 5);
  else say({ empty: true });
}

function told(line) {
  if (line.emit) {
    for (const socket of everybody()) {
      const more = line.ack ? [(...answer) => say({ acknowledged: answer })] : [];
      socket.emit(line.emit, ...line.arguments, ...more);
    }
  }
  if (line.binary) io.emit(line.binary, ...line.bytes.map((text) => Buffer.from(text)));
  if (line.packets) {
    for (const socket of everybody()) for (const packet of line.packets) socket.conn.sendPacket(...packet);
  }
  if (line.put_out) for (const socket of everybody()) socket.disconnect();
  if (line.empty) tellWhenEmpty();
}

let rest = "";
process.stdin.on("data", (data) => {
  const lines = (rest + data).split("\n");
  rest = lines.pop();
  for (const line of lines) told(JSON.parse(line));
});
process.stdin.on("end", () => process.stdout.write("", () => process.exit(0))); // after all that was told
web.listen(job.port || 0, "127.0.0.1", () => say({ listening: web.address().port }));
