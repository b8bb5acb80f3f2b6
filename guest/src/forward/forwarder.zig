//! `sandboxssh` and `sandboxingress`: the host opens TCP streams to programs that listen on
//! the guest's loopback, all over one port.
//!
//! The contract has no credit for the host's direction: when a program does not take what it
//! is sent, the port is not read until it does, and a program that takes nothing for too long
//! loses its stream, so that it cannot hold up the others for ever.

const std = @import("std");

const console = @import("../console.zig");
const frame = @import("../frame.zig");
const message = @import("../message.zig");
const poll_set = @import("../poll_set.zig");
const Port = @import("../port.zig").Port;
const stream_of = @import("stream.zig");
const Stream = stream_of.Stream;
const sys = @import("../sys.zig");

const streams_max = 128;
/// How long a program may take nothing while the host waits.
const stall_ms_max = 30_000;

const PollSet = poll_set.PollSet(1 + streams_max);

var inbox: frame.Inbox = .{ .buffer = undefined };
var outbox: frame.Outbox = .{ .buffer = undefined };

const Forwarder = struct {
    port: Port,
    streams: [streams_max]?Stream = @splat(null),
    set: PollSet = .{},
    /// Data that waits for room in its stream; nothing is read from the host meanwhile.
    waiting: ?Waiting = null,
};

const Waiting = struct { id: u32, data: []const u8 };

/// Serves the hosts that come to `source`, one after the other; returns when none can.
pub fn serve(source: Port.Source) sys.Error!void {
    var forwarder: Forwarder = .{ .port = try Port.open(source) };
    while (!forwarder.port.isGone()) try turn(&forwarder);
}

fn turn(forwarder: *Forwarder) sys.Error!void {
    const set = &forwarder.set;
    set.clear();
    const port = if (forwarder.port.isConnected())
        set.add(forwarder.port.fd, .{
            .read = forwarder.waiting == null and outbox.hasRoomForAnswer(),
            .write = !outbox.isEmpty(),
        })
    else
        set.add(forwarder.port.watch_fd, .{ .read = true });
    for (&forwarder.streams) |*slot| if (slot.*) |*stream| stream.awaitEvents(set, &outbox);
    if (forwarder.waiting != null) set.limit(stall_ms_max);

    try set.wait();

    if (!forwarder.port.isConnected()) {
        if (set.readable(port)) try forwarder.port.connect();
        return;
    }
    for (&forwarder.streams) |*slot| if (slot.*) |*stream| {
        stream.handleEvents(set, &outbox);
        if (stream.isEnded()) drop(slot);
    };
    if (!exchange(forwarder, set.readable(port))) forgetHost(forwarder);
}

/// Takes messages and gives answers.  False: this connection is over.
fn exchange(forwarder: *Forwarder, readable: bool) bool {
    if (forwarder.waiting) |waiting| {
        forwarder.waiting = null;
        if (find(forwarder, waiting.id)) |slot| deliver(forwarder, waiting.data, slot);
    }
    if (readable and forwarder.waiting == null and outbox.hasRoomForAnswer()) {
        const size = sys.read(forwarder.port.fd, inbox.space()) catch |failure| switch (failure) {
            error.AGAIN => null,
            else => return false,
        };
        if (size == 0) return false;
        inbox.filled(size orelse 0);
    }
    while (forwarder.waiting == null and outbox.hasRoomForAnswer()) {
        const next = inbox.next() catch return refuseConnection();
        handle(forwarder, message.parse(next orelse break) catch return refuseConnection());
    }
    outbox.flush(forwarder.port.fd) catch |failure| return failure == error.AGAIN;
    return true;
}

fn refuseConnection() bool {
    console.say(&.{"forwarder: the host sent a malformed frame; closing the connection"});
    return false;
}

fn forgetHost(forwarder: *Forwarder) void {
    for (&forwarder.streams) |*slot| if (slot.* != null) drop(slot);
    forwarder.waiting = null;
    inbox.clear();
    outbox.clear();
    forwarder.port.disconnect();
}

fn drop(slot: *?Stream) void {
    slot.*.?.close();
    slot.* = null;
}

const Kind = enum { tcp_open, tcp_data, tcp_eof, tcp_close };

fn handle(forwarder: *Forwarder, received: message.Message) void {
    const kind = std.meta.stringToEnum(Kind, received.kind) orelse {
        return console.say(&.{ "forwarder: unknown message ", received.kind });
    };
    const slot = find(forwarder, received.id);
    switch (kind) {
        .tcp_open => open(forwarder, received, slot),
        // Messages for a stream that has just ended are late, not wrong.
        .tcp_data => if (slot) |found| receive(forwarder, received, found),
        .tcp_eof => if (slot) |found| found.*.?.endInput(),
        .tcp_close => if (slot) |found| drop(found),
    }
}

fn open(forwarder: *Forwarder, received: message.Message, existing: ?*?Stream) void {
    const id = received.id;
    if (existing != null) return stream_of.sendOpened(id, "this stream is open", &outbox);
    const port = wantedPort(received) catch |refusal| {
        return stream_of.sendOpened(id, @errorName(refusal), &outbox);
    };
    const slot = for (&forwarder.streams) |*slot| {
        if (slot.* == null) break slot;
    } else return stream_of.sendOpened(id, "too many streams", &outbox);
    slot.* = Stream.open(id, port) catch |failure| {
        return stream_of.sendOpened(id, sys.describe(failure), &outbox);
    };
}

const Refusal = error{ @"only 127.0.0.1 can be reached", @"a port from 1 to 65535 is needed" };

fn wantedPort(received: message.Message) Refusal!u16 {
    const item = received.body.get("host") catch null;
    const host = if (item) |found| found.text() catch "" else "";
    if (!std.mem.eql(u8, host, "127.0.0.1") and !std.mem.eql(u8, host, "localhost")) {
        return error.@"only 127.0.0.1 can be reached";
    }
    const number = received.body.get("port") catch null;
    const port = if (number) |found| found.number(u16) catch 0 else 0;
    return if (port == 0) error.@"a port from 1 to 65535 is needed" else port;
}

fn receive(forwarder: *Forwarder, received: message.Message, slot: *?Stream) void {
    const item = received.body.get("data") catch null;
    const data = if (item) |found| found.bytes() catch "" else "";
    if (!slot.*.?.host_ended) deliver(forwarder, data, slot);
}

/// Queues as much of `data` as fits, and lets the rest wait.
fn deliver(forwarder: *Forwarder, data: []const u8, slot: *?Stream) void {
    const stream = &slot.*.?;
    const size = @min(data.len, stream.queue.free());
    stream.push(data[0..size]);
    if (size == data.len) return;
    if (sys.nowMs() - stream.progress_ms < stall_ms_max) {
        forwarder.waiting = .{ .id = stream.id, .data = data[size..] };
        return;
    }
    console.say(&.{"forwarder: a program takes nothing; closing its stream"});
    outbox.finish(outbox.begin("tcp_close", stream.id, 0));
    drop(slot);
}

fn find(forwarder: *Forwarder, id: u32) ?*?Stream {
    for (&forwarder.streams) |*slot| if (slot.*) |stream| {
        if (stream.id == id) return slot;
    };
    return null;
}
