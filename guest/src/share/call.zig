//! Asking the host: one request, one answer, one at a time.

const std = @import("std");
const linux = std.os.linux;

const cbor = @import("../cbor.zig");
const console = @import("../console.zig");
const frame = @import("../frame.zig");
const message = @import("../message.zig");
const Port = @import("../port.zig").Port;
const sys = @import("../sys.zig");

/// How long the host may think about one request.  Programs wait for it uninterruptibly, so it
/// must end.
const answer_ms_max = 60_000;

var inbox: frame.Inbox = .{ .buffer = undefined };
var outbox: frame.Outbox = .{ .buffer = undefined };

pub const Answer = struct {
    failure: ?sys.Error,
    /// The `res` of the answer, if there is one; valid until the next call.
    result: ?cbor.Item,

    pub fn failedWith(answer: Answer, wanted: sys.Error) bool {
        const failure = answer.failure orelse return false;
        return failure == wanted;
    }

    /// The result, which must be there.
    pub fn get(answer: Answer) sys.Error!cbor.Item {
        if (answer.failure) |failure| return failure;
        return answer.result orelse error.IO;
    }
};

pub const Host = struct {
    port: Port,
    last_id: u32 = 0,

    /// Begins a request: the caller writes `fields` keys and values, then calls `ask`.
    pub noinline fn begin(host: *Host, op: []const u8, fields: usize) Request {
        host.last_id +%= 1;
        outbox.clear();
        var writer = outbox.begin("fs_request", host.last_id, 2);
        writer.text("op");
        writer.text(op);
        writer.text("req");
        writer.map(fields);
        return .{ .writer = writer, .op = op };
    }

    /// Sends the request and waits for its answer.  Fails with `error.IO` when the host has gone
    /// or answers nonsense, with `error.TIMEDOUT` when it does not answer.
    pub noinline fn ask(host: *Host, request: Request) sys.Error!Answer {
        outbox.finish(request.writer);
        if (!host.port.isConnected()) try host.reconnect();
        host.send() catch return host.hangUp();
        return host.receiveAnswer(request.op) catch |failure| {
            // An answer that is only late is recognised by its id.
            return if (failure == error.TIMEDOUT) failure else host.hangUp();
        };
    }

    /// Gives up the connection: what comes after a broken frame cannot be understood.
    fn hangUp(host: *Host) sys.Error {
        inbox.clear();
        host.port.disconnect();
        return error.IO;
    }

    fn send(host: *Host) sys.Error!void {
        const deadline_ms = sys.nowMs() + answer_ms_max;
        while (true) {
            return outbox.flush(host.port.fd) catch |failure| {
                if (failure != error.AGAIN) return failure;
                try host.wait(.write, deadline_ms);
                continue;
            };
        }
    }

    fn receiveAnswer(host: *Host, op: []const u8) sys.Error!Answer {
        const deadline_ms = sys.nowMs() + answer_ms_max;
        while (true) {
            const next = inbox.next() catch return error.IO;
            const found = next orelse {
                try host.receive(deadline_ms);
                continue;
            };
            const received = message.parse(found) catch return error.IO;
            const answer = parseAnswer(received, host.last_id, op) catch return error.IO;
            return answer orelse continue;
        }
    }

    fn receive(host: *Host, deadline_ms: u64) sys.Error!void {
        const size = sys.read(host.port.fd, inbox.space()) catch |failure| {
            if (failure != error.AGAIN) return error.IO;
            return host.wait(.read, deadline_ms);
        };
        if (size == 0) return error.IO;
        inbox.filled(size);
    }

    fn wait(host: *Host, direction: enum { read, write }, deadline_ms: u64) sys.Error!void {
        const left_ms = deadline_ms -| sys.nowMs();
        if (left_ms == 0) {
            console.say(&.{"sandboxfs: the host does not answer"});
            return error.TIMEDOUT;
        }
        var fds = [_]linux.pollfd{.{
            .fd = host.port.fd,
            .events = if (direction == .read) linux.POLL.IN else linux.POLL.OUT,
            .revents = 0,
        }};
        _ = try sys.poll(&fds, @intCast(left_ms));
        if (direction == .write and fds[0].revents & linux.POLL.HUP != 0) return error.IO;
    }

    /// Looks once whether the host is back.
    fn reconnect(host: *Host) sys.Error!void {
        if (host.port.isGone()) return error.IO;
        host.port.connect() catch return error.IO;
        if (!host.port.isConnected()) return error.IO;
    }
};

pub const Request = struct {
    writer: cbor.Writer,
    op: []const u8,

    pub noinline fn unsigned(request: *Request, key: []const u8, value: u64) void {
        request.writer.text(key);
        request.writer.unsigned(value);
    }

    pub fn signed(request: *Request, key: []const u8, value: i64) void {
        request.writer.text(key);
        request.writer.signed(value);
    }

    pub fn bytes(request: *Request, key: []const u8, value: []const u8) void {
        request.writer.text(key);
        request.writer.bytes(value);
    }

    /// A name or a link's target, which the contract wants as text.
    pub fn text(request: *Request, key: []const u8, value: []const u8) sys.Error!void {
        if (!std.unicode.utf8ValidateSlice(value)) return error.ILSEQ;
        request.writer.text(key);
        request.writer.text(value);
    }
};

/// The answer in `received`; null when it is that of a request given up before.
fn parseAnswer(received: message.Message, id: u32, op: []const u8) cbor.WrongType!?Answer {
    if (!std.mem.eql(u8, received.kind, "fs_response") or received.id != id) return null;
    const answered = try received.body.required("op");
    if (!std.mem.eql(u8, try answered.text(), op)) return error.WrongType;
    const code = try (try received.body.required("err")).number(u12);
    const result = try received.body.get("res");
    // As the kernel itself would report it.
    _ = sys.check(@bitCast(-@as(isize, code))) catch |failure| {
        return .{ .failure = failure, .result = result };
    };
    return .{ .failure = null, .result = result };
}
