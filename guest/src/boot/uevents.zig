//! The kernel's announcements of devices (netlink(7), NETLINK_KOBJECT_UEVENT): the way to wait
//! for a device without asking again and again.

const std = @import("std");
const linux = std.os.linux;

const sys = @import("../sys.zig");

/// The kernel's own multicast group, as opposed to that of udev.
const kernel_group = 1;

pub const Uevents = struct {
    fd: sys.fd_t,

    /// Announcements from now on are kept until `wait` is called.
    pub fn open() sys.Error!Uevents {
        const kind = linux.SOCK.DGRAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK;
        const result = linux.socket(linux.AF.NETLINK, kind, linux.NETLINK.KOBJECT_UEVENT);
        const fd: sys.fd_t = @intCast(try sys.check(result));
        errdefer sys.close(fd);
        const address: linux.sockaddr.nl = .{ .pid = 0, .groups = kernel_group };
        _ = try sys.check(linux.bind(fd, @ptrCast(&address), @sizeOf(linux.sockaddr.nl)));
        return .{ .fd = fd };
    }

    pub fn close(events: Uevents) void {
        sys.close(events.fd);
    }

    /// Waits for an announcement of any device, at most until `deadline_ms` of `sys.nowMs`.
    pub fn wait(events: Uevents, deadline_ms: u64) error{TIMEDOUT}!void {
        const left_ms = deadline_ms -| sys.nowMs();
        if (left_ms == 0) return error.TIMEDOUT;
        var fds = [_]linux.pollfd{.{ .fd = events.fd, .events = linux.POLL.IN, .revents = 0 }};
        _ = sys.poll(&fds, @intCast(@min(left_ms, std.math.maxInt(i32)))) catch {
            return error.TIMEDOUT;
        };
        // What they say does not matter: the caller looks for its device itself.
        var text: [4096]u8 = undefined;
        while (sys.read(events.fd, &text)) |_| {} else |_| {}
    }
};
