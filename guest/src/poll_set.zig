//! What one turn of an event loop waits for.  The set is made anew for each turn from the
//! state of the things in it, so no registration can outlive what it was for.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const sys = @import("sys.zig");

pub const Interest = struct { read: bool = false, write: bool = false };

/// A descriptor's place in the set of this turn.
pub const Slot = struct { index: ?u16 = null };

pub fn PollSet(comptime capacity: u16) type {
    return struct {
        const Set = @This();

        fds: [capacity]linux.pollfd = undefined,
        count: u16 = 0,
        timeout_ms: i32 = -1,

        /// Waits for `fd` in this turn.  Hang-ups and errors are always reported.
        pub fn add(set: *Set, fd: sys.fd_t, interest: Interest) Slot {
            assert(fd >= 0);
            var events: i16 = 0;
            if (interest.read) events |= linux.POLL.IN;
            if (interest.write) events |= linux.POLL.OUT;
            set.fds[set.count] = .{ .fd = fd, .events = events, .revents = 0 };
            defer set.count += 1;
            return .{ .index = set.count };
        }

        /// Ends the turn after `timeout_ms` at the latest.
        pub fn limit(set: *Set, timeout_ms: u31) void {
            if (set.timeout_ms < 0 or timeout_ms < set.timeout_ms) set.timeout_ms = timeout_ms;
        }

        pub fn wait(set: *Set) sys.Error!void {
            _ = try sys.poll(set.fds[0..set.count], set.timeout_ms);
        }

        /// Whether a read would not block; it may report the end or an error.
        pub fn readable(set: *const Set, slot: Slot) bool {
            return set.reported(slot, linux.POLL.IN | linux.POLL.HUP | linux.POLL.ERR);
        }

        /// Whether a write would not block; it may report an error.
        pub fn writable(set: *const Set, slot: Slot) bool {
            return set.reported(slot, linux.POLL.OUT | linux.POLL.HUP | linux.POLL.ERR);
        }

        pub fn hungUp(set: *const Set, slot: Slot) bool {
            return set.reported(slot, linux.POLL.HUP | linux.POLL.ERR);
        }

        fn reported(set: *const Set, slot: Slot, events: i16) bool {
            const index = slot.index orelse return false;
            assert(index < set.count);
            return set.fds[index].revents & events != 0;
        }

        /// Begins the next turn.
        pub fn clear(set: *Set) void {
            set.count = 0;
            set.timeout_ms = -1;
        }
    };
}
