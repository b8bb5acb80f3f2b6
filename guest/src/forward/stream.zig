//! One TCP connection of the host's, carried on to a program in the guest.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const Outbox = @import("../frame.zig").Outbox;
const pages = @import("../pages.zig");
const poll_set = @import("../poll_set.zig");
const Ring = @import("../ring.zig").Ring;
const sys = @import("../sys.zig");

/// How much may wait for the program.
pub const buffer_bytes_max = 256 << 10;
/// The largest piece of its output in one message.
const chunk_bytes_max = 64 << 10;

/// Where output rests between the socket and its message.
var scratch: [chunk_bytes_max]u8 = undefined;

pub const Stream = struct {
    id: u32,
    socket: sys.fd_t,
    state: enum { connecting, open, ended } = .connecting,
    /// What the host sent and the program has not taken.
    queue: Ring,
    /// The host sends no more.
    host_ended: bool = false,
    /// When the program last took something, or had nothing to take.
    progress_ms: u64,
    slot: poll_set.Slot = .{},

    /// Begins to connect to `port` of this machine's loopback.
    pub fn open(id: u32, port: u16) sys.Error!Stream {
        const memory = try pages.map(buffer_bytes_max);
        errdefer pages.unmap(memory);
        const kind = linux.SOCK.STREAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK;
        const socket: sys.fd_t = @intCast(try sys.check(linux.socket(linux.AF.INET, kind, 0)));
        errdefer sys.close(socket);
        const on: c_int = 1; // Small messages must not wait for one another.
        _ = linux.setsockopt(socket, linux.IPPROTO.TCP, linux.TCP.NODELAY, std.mem.asBytes(&on), 4);
        const address: linux.sockaddr.in = .{
            .port = std.mem.nativeToBig(u16, port),
            .addr = @bitCast([4]u8{ 127, 0, 0, 1 }),
        };
        const result = linux.connect(socket, &address, @sizeOf(linux.sockaddr.in));
        _ = sys.check(result) catch |failure| {
            if (failure != error.INPROGRESS) return failure;
        };
        return .{
            .id = id,
            .socket = socket,
            .queue = .{ .memory = memory },
            .progress_ms = sys.nowMs(),
        };
    }

    pub fn close(stream: *Stream) void {
        sys.close(stream.socket);
        pages.unmap(stream.queue.memory);
        stream.* = undefined;
    }

    pub fn isEnded(stream: *const Stream) bool {
        return stream.state == .ended;
    }

    /// Takes what the host sends, for which there must be room.
    pub fn push(stream: *Stream, data: []const u8) void {
        if (stream.queue.size == 0) stream.progress_ms = sys.nowMs();
        stream.queue.push(data);
    }

    pub fn awaitEvents(stream: *Stream, set: anytype, outbox: *const Outbox) void {
        assert(stream.state != .ended);
        const reads = stream.state == .open and outbox.hasRoomFor(chunk_bytes_max);
        const writes = stream.state == .connecting or stream.queue.size > 0;
        stream.slot = .{};
        // A socket whose other end is gone would wake the loop for nothing.
        if (!reads and !writes) return;
        stream.slot = set.add(stream.socket, .{ .read = reads, .write = writes });
    }

    pub fn handleEvents(stream: *Stream, set: anytype, outbox: *Outbox) void {
        if (!outbox.hasRoomFor(chunk_bytes_max)) return; // Another stream was faster.
        if (stream.state == .connecting) {
            if (set.writable(stream.slot)) stream.finishConnecting(outbox);
            return;
        }
        if (stream.queue.size > 0 and set.writable(stream.slot)) stream.drain(outbox);
        if (stream.state == .open and set.readable(stream.slot)) stream.passOn(outbox);
    }

    /// The host sends no more: what waits is still delivered, then the program sees the end.
    pub fn endInput(stream: *Stream) void {
        stream.host_ended = true;
        if (stream.queue.size == 0 and stream.state == .open) stream.shutDown();
    }

    fn finishConnecting(stream: *Stream, outbox: *Outbox) void {
        var code: c_int = 0;
        var size: linux.socklen_t = @sizeOf(c_int);
        const result = linux.getsockopt(
            stream.socket,
            linux.SOL.SOCKET,
            linux.SO.ERROR,
            std.mem.asBytes(&code),
            &size,
        );
        _ = sys.check(result) catch |failure| return stream.refuse(failure, outbox);
        const raw: usize = @bitCast(-@as(isize, code));
        _ = sys.check(raw) catch |failure| return stream.refuse(failure, outbox);
        stream.state = .open;
        sendOpened(stream.id, null, outbox);
        if (stream.host_ended and stream.queue.size == 0) stream.shutDown();
    }

    fn refuse(stream: *Stream, failure: sys.Error, outbox: *Outbox) void {
        stream.state = .ended;
        sendOpened(stream.id, sys.describe(failure), outbox);
    }

    fn drain(stream: *Stream, outbox: *Outbox) void {
        while (stream.queue.size > 0) {
            const size = sys.write(stream.socket, stream.queue.front()) catch |failure| {
                if (failure != error.AGAIN) stream.end(outbox);
                return;
            };
            stream.queue.pop(size);
            stream.progress_ms = sys.nowMs();
        }
        if (stream.host_ended) stream.shutDown();
    }

    fn passOn(stream: *Stream, outbox: *Outbox) void {
        const size = sys.read(stream.socket, &scratch) catch |failure| {
            if (failure != error.AGAIN) stream.end(outbox);
            return;
        };
        if (size == 0) return stream.end(outbox);
        var writer = outbox.begin("tcp_data", stream.id, 1);
        writer.text("data");
        writer.bytes(scratch[0..size]);
        outbox.finish(writer);
    }

    fn shutDown(stream: *Stream) void {
        _ = linux.shutdown(stream.socket, linux.SHUT.WR);
    }

    fn end(stream: *Stream, outbox: *Outbox) void {
        stream.state = .ended;
        outbox.finish(outbox.begin("tcp_close", stream.id, 0));
    }
};

/// Answers a `tcp_open`; `refusal` is why it failed.
pub fn sendOpened(id: u32, refusal: ?[]const u8, outbox: *Outbox) void {
    var writer = outbox.begin("tcp_opened", id, if (refusal == null) 1 else 2);
    writer.text("ok");
    writer.boolean(refusal == null);
    if (refusal) |reason| {
        writer.text("message");
        writer.text(reason);
    }
    outbox.finish(writer);
}
