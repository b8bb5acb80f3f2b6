//! Pseudo-terminals (pty(7)).

const std = @import("std");
const linux = std.os.linux;
const sys = @import("../sys.zig");

const TIOCGPTPEER = 0x5441; // ioctl_tty(2): opens the other end, whatever /dev/pts is.
const F_DUPFD_CLOEXEC = 1030;

pub const end_of_input = 0x04; // What Ctrl-D sends.

/// `controller` is the agent's end, `peer` the command's.
pub const Pair = struct { controller: sys.fd_t, peer: sys.fd_t };

pub fn open() sys.Error!Pair {
    const flags: linux.O = .{ .ACCMODE = .RDWR, .NOCTTY = true };
    const controller = try sys.open("/dev/ptmx", flags, 0);
    errdefer sys.close(controller);
    const locked: c_int = 0;
    _ = try sys.check(linux.ioctl(controller, linux.T.IOCSPTLCK, @intFromPtr(&locked)));
    const peer_flags: u32 = @bitCast(linux.O{ .ACCMODE = .RDWR, .NOCTTY = true, .CLOEXEC = true });
    const peer = try sys.check(linux.ioctl(controller, TIOCGPTPEER, peer_flags));
    const pair: Pair = .{ .controller = controller, .peer = @intCast(peer) };
    errdefer sys.close(pair.peer);
    try resize(controller, .{ .rows = 24, .columns = 80 });
    return pair;
}

pub const Size = struct { rows: u16, columns: u16 };

pub fn resize(fd: sys.fd_t, size: Size) sys.Error!void {
    const window: std.posix.winsize = .{
        .row = size.rows,
        .col = size.columns,
        .xpixel = 0,
        .ypixel = 0,
    };
    _ = try sys.check(linux.ioctl(fd, linux.T.IOCSWINSZ, @intFromPtr(&window)));
}

/// A second descriptor of the same end.
pub fn duplicate(fd: sys.fd_t) sys.Error!sys.fd_t {
    return @intCast(try sys.check(linux.fcntl(fd, F_DUPFD_CLOEXEC, 3)));
}

/// Makes `fd` the controlling terminal of the calling session leader.
pub fn takeControl(fd: sys.fd_t) sys.Error!void {
    _ = try sys.check(linux.ioctl(fd, linux.T.IOCSCTTY, 0));
}
