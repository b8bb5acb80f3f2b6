//! Frames: a length of four bytes, big-endian, and as many bytes of CBOR.
//!
//! Both directions work in fixed buffers.  `Inbox` gathers what arrives until a frame is whole;
//! `Outbox` queues frames until the other side takes them, and says beforehand whether there is
//! room, so that nothing is ever read from a command that could not be passed on.

const std = @import("std");
const assert = std.debug.assert;

const cbor = @import("cbor.zig");
const message = @import("message.zig");
const sys = @import("sys.zig");

/// The largest frame, without its length.
pub const frame_bytes_max = 4 << 20;
pub const length_bytes = 4;

pub const Inbox = struct {
    buffer: [length_bytes + frame_bytes_max]u8,
    start: usize = 0,
    end: usize = 0,

    /// What the next read may fill; never empty once `next` has returned null.
    pub fn space(inbox: *Inbox) []u8 {
        if (inbox.start == inbox.end) {
            inbox.clear();
        } else if (inbox.end == inbox.buffer.len) {
            const kept = inbox.end - inbox.start;
            std.mem.copyForwards(u8, inbox.buffer[0..kept], inbox.buffer[inbox.start..inbox.end]);
            inbox.start = 0;
            inbox.end = kept;
        }
        return inbox.buffer[inbox.end..];
    }

    /// Notes that `size` bytes were read into `space`.
    pub fn filled(inbox: *Inbox, size: usize) void {
        assert(size <= inbox.buffer.len - inbox.end);
        inbox.end += size;
    }

    /// Whether `next` has an answer other than null.
    pub fn hasFrame(inbox: *const Inbox) bool {
        const waiting = inbox.buffer[inbox.start..inbox.end];
        if (waiting.len < length_bytes) return false;
        const size = std.mem.readInt(u32, waiting[0..length_bytes], .big);
        return size > frame_bytes_max or waiting.len >= length_bytes + size;
    }

    /// The next whole frame, valid until `space` is called; null when more bytes are needed.
    pub fn next(inbox: *Inbox) cbor.Malformed!?[]const u8 {
        if (!inbox.hasFrame()) return null;
        const waiting = inbox.buffer[inbox.start..inbox.end];
        const size = std.mem.readInt(u32, waiting[0..length_bytes], .big);
        if (size > frame_bytes_max) return error.Malformed;
        inbox.start += length_bytes + size;
        return waiting[length_bytes..][0..size];
    }

    pub fn clear(inbox: *Inbox) void {
        inbox.start = 0;
        inbox.end = 0;
    }
};

pub const Outbox = struct {
    buffer: [2 << 20]u8,
    start: usize = 0,
    end: usize = 0,

    /// What answers and errors may always count on; bulk data leaves it free.
    pub const reserve_bytes = 64 << 10;
    /// The largest piece of bulk data in one frame.
    pub const data_bytes_max = 1 << 20;

    comptime {
        const bulk = data_bytes_max + message.overhead_bytes_max;
        assert(bulk + reserve_bytes <= @typeInfo(@FieldType(Outbox, "buffer")).array.len);
    }

    pub fn isEmpty(outbox: *const Outbox) bool {
        return outbox.start == outbox.end;
    }

    /// Whether a frame with `size` bytes of bulk data fits.
    pub fn hasRoomFor(outbox: *const Outbox, size: usize) bool {
        return outbox.free() >= size + message.overhead_bytes_max + reserve_bytes;
    }

    /// Whether one more request may be answered.
    pub fn hasRoomForAnswer(outbox: *const Outbox) bool {
        return outbox.free() >= reserve_bytes;
    }

    /// Begins a frame for an envelope of type `kind` with `fields` entries in its `p`.  The
    /// caller writes these, keys and values, and then calls `finish`.
    pub noinline fn begin(outbox: *Outbox, kind: []const u8, id: u32, fields: usize) cbor.Writer {
        outbox.compact();
        var writer: cbor.Writer = .{ .buffer = outbox.buffer[outbox.end + length_bytes ..] };
        message.begin(&writer, kind, id, fields);
        return writer;
    }

    pub fn finish(outbox: *Outbox, writer: cbor.Writer) void {
        assert(writer.size <= frame_bytes_max);
        const length = outbox.buffer[outbox.end..][0..length_bytes];
        std.mem.writeInt(u32, length, @intCast(writer.size), .big);
        outbox.end += length_bytes + writer.size;
    }

    /// Gives the other side what it takes now.  `error.AGAIN`: nothing at the moment.
    pub fn flush(outbox: *Outbox, fd: sys.fd_t) sys.Error!void {
        while (!outbox.isEmpty()) {
            const size = try sys.write(fd, outbox.buffer[outbox.start..outbox.end]);
            if (size == 0) return error.AGAIN;
            outbox.start += size;
        }
        outbox.clear();
    }

    pub fn clear(outbox: *Outbox) void {
        outbox.start = 0;
        outbox.end = 0;
    }

    fn free(outbox: *const Outbox) usize {
        return outbox.buffer.len - (outbox.end - outbox.start);
    }

    /// Moves what waits to the front, unless there is room enough behind it.
    fn compact(outbox: *Outbox) void {
        const largest = data_bytes_max + message.overhead_bytes_max;
        if (outbox.start == 0 or outbox.buffer.len - outbox.end >= largest) return;
        const waiting = outbox.buffer[outbox.start..outbox.end];
        std.mem.copyForwards(u8, outbox.buffer[0..waiting.len], waiting);
        outbox.start = 0;
        outbox.end = waiting.len;
    }
};

const testing = std.testing;

test "frames are found however the bytes arrive" {
    const inbox = try testing.allocator.create(Inbox);
    defer testing.allocator.destroy(inbox);
    inbox.* = .{ .buffer = undefined };
    const stream = "\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x00\x00\x01d";
    var found: [3][]const u8 = undefined;
    var count: usize = 0;
    for (stream) |byte| {
        inbox.space()[0] = byte;
        inbox.filled(1);
        while (try inbox.next()) |frame| : (count += 1) {
            found[count] = try testing.allocator.dupe(u8, frame);
        }
    }
    defer for (found) |frame| testing.allocator.free(frame);
    try testing.expectEqual(3, count);
    try testing.expectEqualStrings("abc", found[0]);
    try testing.expectEqualStrings("", found[1]);
    try testing.expectEqualStrings("d", found[2]);
}

test "a frame of the largest size fits, a larger one is refused" {
    const inbox = try testing.allocator.create(Inbox);
    defer testing.allocator.destroy(inbox);
    inbox.* = .{ .buffer = undefined };
    @memcpy(inbox.space()[0..5], "\x00\x00\x00\x01x");
    inbox.filled(5);
    try testing.expectEqualStrings("x", (try inbox.next()).?);
    std.mem.writeInt(u32, inbox.space()[0..4], frame_bytes_max, .big);
    inbox.filled(4);
    while (try inbox.next() == null) inbox.filled(@min(inbox.space().len, 65_537));
    std.mem.writeInt(u32, inbox.space()[0..4], frame_bytes_max + 1, .big);
    inbox.filled(4);
    try testing.expectError(error.Malformed, inbox.next());
}

test "random streams never do more than be refused" {
    const inbox = try testing.allocator.create(Inbox);
    defer testing.allocator.destroy(inbox);
    var random = std.Random.DefaultPrng.init(7);
    for (0..2_000) |_| {
        inbox.* = .{ .buffer = undefined };
        for (0..20) |_| {
            const size = random.random().intRangeAtMost(usize, 1, 64);
            random.random().bytes(inbox.space()[0..size]);
            @memset(inbox.space()[0..@min(size, 3)], 0);
            inbox.filled(size);
            while (inbox.next() catch break) |frame| _ = message.parse(frame) catch continue;
        }
    }
}
