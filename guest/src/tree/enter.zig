//! `bootsmith-guest enter PROC CWD COUNT NAME=VALUE… PROGRAM ARGUMENT…`: a command in the tree.
//!
//! The tree is its root, and process 1 it sees is of ours; everything it leaves running ends with
//! it.  COUNT variables are its whole environment.  What it prints, also on its standard error,
//! goes to standard output: standard error is for what went wrong before it ran, as
//! `STAGE ERRNO REASON`.  Exits as the command does, with 128 + n when signal n ended it.

const std = @import("std");
const linux = std.os.linux;

const arguments = @import("../arguments.zig");
const capabilities = @import("capabilities.zig");
const console = @import("../console.zig");
const request = @import("../agent/request.zig");
const root = @import("serve.zig").root;
const spawn = @import("../agent/spawn.zig");
const sys = @import("../sys.zig");

const MS = linux.MS;
const CLONE = linux.CLONE;

/// Of /proc: what asks only for user 0 and not for a capability.
const kernel_settings = [_][:0]const u8{ "sys", "sysrq-trigger", "irq", "bus", "fs" };

const words_max = 64 << 10;
const exit_not_started = 127;

const Job = struct {
    proc: [:0]const u8,
    command: request.ExecRequest,
};

var environment: [words_max:null]?[*:0]const u8 = undefined;

pub fn run(words: arguments.Words) sys.Error!void {
    const job = read(words) catch |failure| fail("arguments", failure);
    const flags = CLONE.NEWPID | CLONE.NEWNS | CLONE.NEWIPC;
    _ = sys.check(linux.unshare(flags)) catch |failure| fail("namespaces", failure);
    const init = spawn.fork() catch |failure| fail("fork", failure);
    linux.exit_group(statusOf(init orelse beInit(&job)));
}

fn read(given: arguments.Words) sys.Error!Job {
    var words = given;
    const proc = words.next() orelse return error.INVAL;
    const folder = words.next() orelse return error.INVAL;
    const text = words.next() orelse return error.INVAL;
    const count = arguments.parseNumber(usize, text) orelse return error.INVAL;
    if (count > words_max) return error.@"2BIG";
    for (environment[0..count]) |*entry| entry.* = words.next() orelse return error.INVAL;
    environment[count] = null;
    const program = words.rest;
    if (program.len == 0) return error.INVAL;
    return .{
        .proc = proc,
        .command = .{
            .command = std.mem.span(program[0]),
            // The kernel ends the words of a program with a null.
            .arguments = @ptrCast(program),
            .environment = environment[0..count :null],
            .folder = folder,
            .takes_input = false,
            .terminal = false,
            .stdout_window = 0,
            .stderr_window = 0,
        },
    };
}

/// Process 1 of a namespace of its own: it keeps what the command may not have, so that the
/// command cannot look into it, and when it ends the kernel ends all others.
fn beInit(job: *const Job) noreturn {
    _ = linux.prctl(@intFromEnum(linux.PR.SET_PDEATHSIG), linux.SIG.KILL, 0, 0, 0);
    enterTree(job.proc) catch |failure| fail("mounts", failure);
    const command = spawn.fork() catch |failure| fail("fork", failure);
    linux.exit_group(statusOf(command orelse become(&job.command)));
}

/// Makes the tree the root of this mount namespace.
fn enterTree(proc: [:0]const u8) sys.Error!void {
    _ = try sys.check(linux.chdir(root));
    const flags = MS.NOSUID | MS.NODEV | MS.NOEXEC;
    _ = try sys.check(linux.mount("proc", proc, "proc", flags, 0));
    for (kernel_settings) |name| {
        var buffer: sys.PathBuffer = undefined;
        const path = try sys.join(&buffer, &.{ proc, "/", name });
        if (!sys.exists(path)) continue;
        _ = try sys.check(linux.mount(path, path, null, MS.BIND | MS.REC, 0));
        const again = MS.REMOUNT | MS.BIND | MS.RDONLY | flags;
        _ = try sys.check(linux.mount(null, path, null, again, 0));
    }
    _ = try sys.check(linux.mount(".", "/", null, MS.MOVE, 0));
    _ = try sys.check(linux.chroot("."));
    _ = try sys.check(linux.chdir("/"));
}

fn become(command: *const request.ExecRequest) noreturn {
    const complaints = keepStandardError() catch |failure| fail("descriptors", failure);
    execute(command) catch |failure| {
        complain(complaints, "start", failure);
        linux.exit_group(exit_not_started);
    };
}

/// Standard error becomes standard output; where it led is kept for this program alone.
fn keepStandardError() sys.Error!sys.fd_t {
    const F_DUPFD_CLOEXEC = 1030;
    const kept = try sys.check(linux.fcntl(2, F_DUPFD_CLOEXEC, 3));
    _ = try sys.check(linux.dup2(1, 2));
    const nothing = try sys.open("/dev/null", .{}, 0);
    _ = try sys.check(linux.dup2(nothing, 0));
    return @intCast(kept);
}

fn execute(command: *const request.ExecRequest) sys.Error!noreturn {
    _ = linux.setsid();
    _ = linux.syscall1(.umask, 0o022);
    _ = try sys.check(linux.setgroups(0, &[_]linux.gid_t{0}));
    _ = try sys.check(linux.chdir(command.folder.?));
    try capabilities.keepOnlyOwn();
    return spawn.execute(command);
}

/// Waits for `wanted` and whoever else ends; what a shell would make of its status.
fn statusOf(wanted: sys.pid_t) u8 {
    while (true) {
        var status: u32 = undefined;
        const pid = sys.check(linux.waitpid(-1, &status, 0)) catch |failure| {
            if (failure == error.INTR) continue;
            fail("wait", failure);
        };
        if (pid != @as(usize, @intCast(wanted))) continue;
        if (linux.W.IFSIGNALED(status)) return @intCast(128 + linux.W.TERMSIG(status));
        return linux.W.EXITSTATUS(status);
    }
}

fn fail(stage: []const u8, failure: sys.Error) noreturn {
    complain(2, stage, failure);
    linux.exit_group(exit_not_started);
}

fn complain(fd: sys.fd_t, stage: []const u8, failure: sys.Error) void {
    var digits: [20]u8 = undefined;
    const number = console.decimal(&digits, sys.errnoOf(failure));
    for ([_][]const u8{ stage, " ", number, " ", sys.describe(failure) }) |part| {
        sys.writeAll(fd, part) catch return;
    }
}
