//! `bootsmith-guest prepare HOSTNAME DEV SYS`: what a tree's programs find around them, once for
//! all of them.  DEV and SYS are paths relative to the tree, of folders that lead through no link.

const linux = @import("std").os.linux;

const arguments = @import("../arguments.zig");
const root = @import("serve.zig").root;
const sys = @import("../sys.zig");

const MS = linux.MS;

/// Of Documentation/admin-guide/devices.txt.
const devices = [_]struct { name: [:0]const u8, major: u32, minor: u32 }{
    .{ .name = "null", .major = 1, .minor = 3 },
    .{ .name = "zero", .major = 1, .minor = 5 },
    .{ .name = "full", .major = 1, .minor = 7 },
    .{ .name = "random", .major = 1, .minor = 8 },
    .{ .name = "urandom", .major = 1, .minor = 9 },
    .{ .name = "tty", .major = 5, .minor = 0 },
};

const links = [_][2][:0]const u8{
    .{ "/proc/self/fd", "fd" },
    .{ "/proc/self/fd/0", "stdin" },
    .{ "/proc/self/fd/1", "stdout" },
    .{ "/proc/self/fd/2", "stderr" },
    .{ "pts/ptmx", "ptmx" },
};

const devpts_options = "newinstance,ptmxmode=0666,mode=620,gid=5"; // tty, on every distribution

pub fn run(given: arguments.Words) sys.Error!void {
    var words = given;
    const host_name = words.next() orelse return error.INVAL;
    const dev = words.next() orelse return error.INVAL;
    const system = words.next() orelse return error.INVAL;
    _ = linux.syscall1(.umask, 0);
    _ = try sys.check(linux.syscall2(.sethostname, @intFromPtr(host_name.ptr), host_name.len));

    // Device files of the tree are data; only those in /dev work.
    const flags = MS.REMOUNT | MS.BIND | MS.NODEV | MS.NOATIME;
    _ = try sys.check(linux.mount(null, root, null, flags, 0));
    _ = try sys.check(linux.chdir(root));
    const read_only = MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.RDONLY;
    _ = try sys.check(linux.mount("sysfs", system, "sysfs", read_only, 0));
    try mountMemory(dev, MS.NOSUID | MS.NOEXEC, "mode=755,size=1m");
    _ = try sys.check(linux.chdir(dev));
    try populate();
}

/// Fills the /dev that is the current folder.
fn populate() sys.Error!void {
    for (devices) |device| {
        const number = device.major << 8 | device.minor;
        _ = try sys.check(linux.mknod(device.name, linux.S.IFCHR | 0o666, number));
    }
    for (links) |link| try sys.symlink(link[0], link[1]);
    try sys.mkdir("pts", 0o755);
    try sys.mkdir("shm", 0o755);
    const flags = MS.NOSUID | MS.NOEXEC;
    const options = @intFromPtr(devpts_options);
    _ = try sys.check(linux.mount("devpts", "pts", "devpts", flags, options));
    try mountMemory("shm", flags | MS.NODEV, "mode=1777");
}

fn mountMemory(target: [*:0]const u8, flags: u32, options: [*:0]const u8) sys.Error!void {
    _ = try sys.check(linux.mount("tmpfs", target, "tmpfs", flags, @intFromPtr(options)));
}
