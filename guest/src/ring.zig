//! A queue of bytes in a fixed piece of memory.

const std = @import("std");
const assert = std.debug.assert;

pub const Ring = struct {
    memory: []u8,
    start: usize = 0,
    size: usize = 0,

    pub fn free(ring: *const Ring) usize {
        return ring.memory.len - ring.size;
    }

    /// Appends `bytes`, for which there must be room.
    pub fn push(ring: *Ring, bytes: []const u8) void {
        assert(bytes.len <= ring.free());
        const end = (ring.start + ring.size) % @max(ring.memory.len, 1);
        const first = @min(bytes.len, ring.memory.len - end);
        @memcpy(ring.memory[end..][0..first], bytes[0..first]);
        @memcpy(ring.memory[0 .. bytes.len - first], bytes[first..]);
        ring.size += bytes.len;
    }

    /// The oldest bytes, as many as lie together; empty only when the ring is.
    pub fn front(ring: *const Ring) []const u8 {
        return ring.memory[ring.start..@min(ring.start + ring.size, ring.memory.len)];
    }

    /// Drops the `count` oldest bytes.
    pub fn pop(ring: *Ring, count: usize) void {
        assert(count <= ring.size);
        ring.size -= count;
        // An empty ring starts over, so that little data touches little memory.
        ring.start = if (ring.size == 0) 0 else (ring.start + count) % ring.memory.len;
    }
};

test "bytes leave in the order they came" {
    var memory: [7]u8 = undefined;
    var ring: Ring = .{ .memory = &memory };
    var random = std.Random.DefaultPrng.init(1);
    var pushed: u8 = 0;
    var popped: u8 = 0;
    for (0..10_000) |_| {
        for (0..random.random().uintAtMost(usize, ring.free())) |_| {
            ring.push(&.{pushed});
            pushed +%= 1;
        }
        const front = ring.front();
        try std.testing.expect(front.len > 0 or ring.size == 0);
        const count = random.random().uintAtMost(usize, front.len);
        for (front[0..count]) |byte| {
            try std.testing.expectEqual(popped, byte);
            popped +%= 1;
        }
        ring.pop(count);
    }
}
