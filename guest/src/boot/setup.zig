//! `bootsmith-guest setup`: makes an ordinary Linux of a root file system that has just been
//! mounted, with or without an initramfs before it.

const std = @import("std");
const linux = std.os.linux;

const CommandLine = @import("command_line.zig").CommandLine;
const console = @import("../console.zig");
const mounts = @import("mounts.zig");
const network = @import("../net/network.zig");
const ports = @import("ports.zig");
const share = @import("share.zig");
const sys = @import("../sys.zig");

const MS = linux.MS;

const terminals: mounts.Mount = .{
    .kind = "devpts",
    .target = "/dev/pts",
    .flags = MS.NOSUID | MS.NOEXEC,
    .options = "mode=620,ptmxmode=666,gid=5", // tty, on every distribution.
};

/// What has to be there on every machine.
const system_mounts = mounts.kernel_views ++ [_]mounts.Mount{
    terminals,
    inMemory("/dev/shm", "mode=1777"),
    inMemory("/run", "mode=755"),
    inMemory("/tmp", "mode=1777"),
};

/// What programs write to on a root file system that cannot be written to.
const scratch_mounts = [_]mounts.Mount{
    inMemory("/root", "mode=700"),
    inMemory("/var/tmp", "mode=1777"),
    inMemory("/var/cache", "mode=755"),
    inMemory("/var/log", "mode=755"),
};

fn inMemory(target: [:0]const u8, options: [*:0]const u8) mounts.Mount {
    return .{
        .kind = "tmpfs",
        .target = target,
        .flags = MS.NOSUID | MS.NODEV,
        .options = options,
    };
}

/// A control group tree is welcome, but not every kernel has one.
const control_groups: mounts.Mount = .{ .kind = "cgroup2", .target = "/sys/fs/cgroup" };

const device_links = [_][2][:0]const u8{
    .{ "/proc/self/fd", "/dev/fd" },
    .{ "/proc/self/fd/0", "/dev/stdin" },
    .{ "/proc/self/fd/1", "/dev/stdout" },
    .{ "/proc/self/fd/2", "/dev/stderr" },
};

/// Every stage, in order.  One that fails is reported, and the others are still done: a
/// machine that runs half is easier to repair than one that does not start.
pub fn run() void {
    mounts.mountAll(&system_mounts);
    console.open();
    if (sys.exists(control_groups.target)) mounts.mountAll(&.{control_groups});
    if (isReadOnly("/")) mounts.mountAll(&scratch_mounts);
    for (device_links) |link| sys.symlink(link[0], link[1]) catch |failure| {
        if (failure != error.EXIST) console.complain(&.{link[1]}, failure);
    };
    var line: CommandLine = .{};
    line.load();
    setHostname() catch |failure| console.complain(&.{"hostname"}, failure);
    network.configure(&line);
    ports.link();
    share.mount(&line);
}

fn isReadOnly(path: [*:0]const u8) bool {
    const result = linux.access(path, linux.W_OK);
    _ = sys.check(result) catch |failure| return failure == error.ROFS;
    return false;
}

fn setHostname() sys.Error!void {
    var buffer: [64]u8 = undefined; // HOST_NAME_MAX
    const content = sys.readFile("/etc/hostname", &buffer) catch |failure| {
        return if (failure == error.NOENT) {} else failure;
    };
    const name = std.mem.trim(u8, content, " \t\n");
    if (name.len == 0) return;
    _ = try sys.check(linux.syscall2(.sethostname, @intFromPtr(name.ptr), name.len));
}
