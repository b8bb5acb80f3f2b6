//! The end of the machine: processes ended, disks written, power off.

const std = @import("std");
const linux = std.os.linux;

const CommandLine = @import("command_line.zig").CommandLine;
const console = @import("../console.zig");
const Folder = @import("../folder.zig").Folder;
const ports = @import("ports.zig");
const sys = @import("../sys.zig");

pub const Mode = enum { power_off, restart };

/// How long processes may take to end after being asked to.
const grace_ms = 500;
const look_again_ms = 10;

/// The signals by which process 1, when it is ours, is asked to end the machine.
pub const signals = std.enums.EnumArray(Mode, u6).init(.{
    .power_off = linux.SIG.USR2, // As busybox has it.
    .restart = linux.SIG.TERM,
});

/// Ends the machine, from any process.  Returns only when it goes on for the moment, because
/// process 1 has been asked to see to it.
pub fn request(mode: Mode) sys.Error!void {
    if (isProcessOneOurs()) {
        _ = try sys.check(linux.kill(1, signals.get(mode)));
        return;
    }
    if (!isGuest()) return error.PERM;
    endProcesses();
    return stop(mode);
}

/// Whether process 1 runs the same executable as this one, and is another process.
fn isProcessOneOurs() bool {
    if (linux.getpid() == 1) return false; // It does not have to ask itself.
    const theirs = sys.identity("/proc/1/exe") catch return false;
    const mine = sys.identity("/proc/self/exe") catch return false;
    return std.meta.eql(theirs, mine);
}

/// Whether this machine is one to be ended: a program in here that is tried out on somebody's
/// own machine must not end that.
fn isGuest() bool {
    var buffer: sys.PathBuffer = undefined;
    return linux.getpid() == 1 or ports.find(ports.agent_port, &buffer) != null;
}

/// Asks every other process to end, and ends those that do not.
pub fn endProcesses() void {
    _ = linux.kill(-1, linux.SIG.TERM);
    _ = linux.kill(-1, linux.SIG.CONT); // A stopped process cannot hear the first one.
    const deadline_ms = sys.nowMs() + grace_ms;
    while (sys.nowMs() < deadline_ms and othersRun()) sys.sleepMs(look_again_ms);
    _ = linux.kill(-1, linux.SIG.KILL);
}

/// Writes everything to the disks and stops the machine.  Returns only when that is refused.
pub fn stop(mode: Mode) sys.Error {
    linux.sync();
    // The root file system ends clean, not in need of its journal.
    _ = linux.mount(null, "/", null, linux.MS.REMOUNT | linux.MS.RDONLY, 0);
    linux.sync();
    const command: linux.LINUX_REBOOT.CMD = switch (mode) {
        .power_off => .POWER_OFF,
        .restart => .RESTART,
    };
    _ = sys.check(linux.reboot(.MAGIC1, .MAGIC2, command, null)) catch |failure| return failure;
    return error.OPNOTSUPP;
}

/// Ends the machine after a failure that nothing can be done about: by a panic where the command
/// line says what should follow one (`panic=`), which every machine can do, else by power off.
pub fn abandon() noreturn {
    linux.sync();
    var line: CommandLine = .{};
    line.load();
    if (line.value("panic") == null) {
        console.say(&.{"powering off"});
        _ = linux.reboot(.MAGIC1, .MAGIC2, .POWER_OFF, null);
    }
    linux.exit_group(1); // The kernel panics when process 1 exits.
}

/// Whether there is any process beside process 1, this one and the kernel's own.
fn othersRun() bool {
    var folder = Folder.open("/proc") catch return false;
    defer folder.close();
    while (folder.next() catch null) |entry| {
        const pid = std.fmt.parseUnsigned(sys.pid_t, entry.name, 10) catch continue;
        if (pid == 1 or pid == linux.getpid()) continue;
        var path: sys.PathBuffer = undefined;
        var target: [1]u8 = undefined;
        const link = sys.join(&path, &.{ "/proc/", entry.name, "/exe" }) catch continue;
        // A thread of the kernel has no executable, neither has a zombie.
        const size = sys.check(linux.readlink(link, &target, target.len)) catch continue;
        if (size > 0) return true;
    }
    return false;
}
