//! The line to the host: a virtio-serial port, a file descriptor that was inherited, or a
//! Unix socket to listen on (the last two let the agent run as an ordinary process).
//!
//! A virtio port stays open while its host comes and goes: without a host it reads as ended
//! and polls as hung up.  `watch_fd` tells about the next host without asking all the time:
//! an edge-triggered epoll wakes when the port's state changes.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const console = @import("console.zig");
const ports = @import("boot/ports.zig");
const sys = @import("sys.zig");

pub const Port = struct {
    source: Source,
    /// The line itself while a host is there; -1 otherwise.
    fd: sys.fd_t = -1,
    /// Readable when a host may have come, while none is there; -1 for a single connection.
    watch_fd: sys.fd_t = -1,

    pub const Source = union(enum) {
        device: []const u8, // The port's name, or the path of its device.
        inherited: sys.fd_t,
        listener: []const u8, // The socket's path.
    };

    /// Opens `source`.  A host need not be there yet.
    pub fn open(source: Source) sys.Error!Port {
        var port: Port = .{ .source = source };
        switch (source) {
            .inherited => |fd| {
                try sys.setNonblocking(fd);
                try sys.setCloseOnExec(fd); // Commands must not hold the line open.
                port.fd = fd;
            },
            .listener => |path| port.watch_fd = try listen(path),
            .device => |name| try port.openDevice(name),
        }
        return port;
    }

    pub fn isConnected(port: *const Port) bool {
        return port.fd >= 0;
    }

    /// Whether the line can never come back.
    pub fn isGone(port: *const Port) bool {
        return port.fd < 0 and port.watch_fd < 0;
    }

    /// Notes that the host has left, or makes it leave: what was under way is lost.
    pub fn disconnect(port: *Port) void {
        assert(port.isConnected());
        sys.close(port.fd);
        port.fd = -1;
        switch (port.source) {
            .inherited, .listener => {},
            .device => |name| {
                sys.close(port.watch_fd);
                port.watch_fd = -1;
                // Opening it anew throws away what the kernel still holds of the old line.
                port.openDevice(name) catch |failure| {
                    console.complain(&.{ "port ", name }, failure);
                };
            },
        }
    }

    /// Looks whether a host has come, after `watch_fd` became readable.
    pub fn connect(port: *Port) sys.Error!void {
        assert(!port.isConnected());
        switch (port.source) {
            .inherited => unreachable,
            .listener => {
                const flags = linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK;
                port.fd = @intCast(try sys.check(linux.accept4(port.watch_fd, null, null, flags)));
            },
            .device => {
                const event = try waitEdge(port.watch_fd) orelse return;
                if (event.events & linux.EPOLL.HUP == 0) port.fd = event.data.fd;
            },
        }
    }

    fn openDevice(port: *Port, name: []const u8) sys.Error!void {
        const fd = try openPort(name);
        errdefer sys.close(fd);
        port.watch_fd = @intCast(try sys.check(linux.epoll_create1(linux.EPOLL.CLOEXEC)));
        var event: linux.epoll_event = .{
            .events = linux.EPOLL.IN | linux.EPOLL.OUT | linux.EPOLL.ET,
            .data = .{ .fd = fd },
        };
        _ = try sys.check(linux.epoll_ctl(port.watch_fd, linux.EPOLL.CTL_ADD, fd, &event));
        try port.connect();
    }
};

fn waitEdge(epoll_fd: sys.fd_t) sys.Error!?linux.epoll_event {
    var events: [1]linux.epoll_event = undefined;
    const count = sys.check(linux.epoll_wait(epoll_fd, &events, 1, 0)) catch |failure| {
        return if (failure == error.INTR) null else failure;
    };
    return if (count == 1) events[0] else null;
}

fn listen(path: []const u8) sys.Error!sys.fd_t {
    var address: linux.sockaddr.un = .{ .path = @splat(0) };
    if (path.len >= address.path.len) return error.NAMETOOLONG;
    @memcpy(address.path[0..path.len], path);
    const kind = linux.SOCK.STREAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK;
    const fd: sys.fd_t = @intCast(try sys.check(linux.socket(linux.AF.UNIX, kind, 0)));
    errdefer sys.close(fd);
    _ = try sys.check(linux.bind(fd, @ptrCast(&address), @sizeOf(linux.sockaddr.un)));
    _ = try sys.check(linux.listen(fd, 1));
    return fd;
}

/// Opens the virtio-serial port called `name`, or the device at the path `name`.  A port whose
/// device has only just started is waited for.
fn openPort(name: []const u8) sys.Error!sys.fd_t {
    const flags: linux.O = .{ .ACCMODE = .RDWR, .NONBLOCK = true, .NOCTTY = true };
    var buffer: sys.PathBuffer = undefined;
    if (std.mem.indexOfScalar(u8, name, '/') != null) {
        return sys.open(try sys.terminated(&buffer, name), flags, 0);
    }
    const device = ports.find(name, &buffer) orelse found: {
        if (!ports.hasDevice()) return error.NODEV;
        break :found ports.waitFor(name, &buffer) orelse return error.NODEV;
    };
    return sys.open(device, flags, 0);
}
