//! mount(2), for file systems that may be mounted already.

const linux = @import("std").os.linux;

const console = @import("../console.zig");
const sys = @import("../sys.zig");

pub const Mount = struct {
    kind: [*:0]const u8,
    target: [:0]const u8,
    flags: u32 = linux.MS.NOSUID | linux.MS.NOEXEC | linux.MS.NODEV,
    options: ?[*:0]const u8 = null,
};

/// What programs expect below /proc, /sys and /dev, in this order.
pub const kernel_views = [_]Mount{
    .{ .kind = "devtmpfs", .target = "/dev", .flags = linux.MS.NOSUID },
    .{ .kind = "proc", .target = "/proc" },
    .{ .kind = "sysfs", .target = "/sys" },
};

/// Mounts each of `mounts`; one that fails is reported on the console and passed over.
pub fn mountAll(mounts: []const Mount) void {
    for (mounts) |mount| {
        mountOne(mount) catch |failure| {
            console.complain(&.{ "cannot mount ", mount.target }, failure);
        };
    }
}

fn mountOne(mount: Mount) sys.Error!void {
    sys.mkdir(mount.target, 0o755) catch |failure| {
        if (failure != error.ROFS) return failure; // mount(2) knows better what is wrong then.
    };
    if (try isMountPoint(mount.target)) return;
    const options = @intFromPtr(mount.options);
    _ = try sys.check(linux.mount(mount.kind, mount.target, mount.kind, mount.flags, options));
}

/// Whether a directory is on another device than the one above it.
pub fn isMountPoint(path: [:0]const u8) sys.Error!bool {
    var buffer: sys.PathBuffer = undefined;
    const above = try sys.join(&buffer, &.{ path, "/.." });
    return try sys.deviceOf(linux.AT.FDCWD, path) != try sys.deviceOf(linux.AT.FDCWD, above);
}

/// Moves a mount with everything below it.
pub fn move(source: [*:0]const u8, target: [*:0]const u8) sys.Error!void {
    _ = try sys.check(linux.mount(source, target, null, linux.MS.MOVE, 0));
}
