//! Starting a command: pipes or a terminal, a session of its own, and execve(2).

const std = @import("std");
const linux = std.os.linux;

const request = @import("request.zig");
const sys = @import("../sys.zig");
const terminal = @import("terminal.zig");

const search_path_default = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// More than the usual 64 KiB, so that a busy command and the agent change places less often.
/// (A user's pipes together may hold 64 MiB: this much for every command and stream.)
const pipe_bytes = 256 << 10;

/// What a command exits with that could not be started, as in a shell.
const exit_not_started = 127;

/// A command that runs.  Its process leads a session and a process group of its own; the
/// descriptors are the agent's ends, -1 where there is none, and never block.
pub const Started = struct {
    pid: sys.pid_t,
    stdin: sys.fd_t = -1,
    stdout: sys.fd_t = -1,
    stderr: sys.fd_t = -1,
    /// The command's end of its terminal, to be kept until it has ended: a terminal without
    /// that end reports an error, and one without the agent's end hangs up on the command.
    terminal: sys.fd_t = -1,
};

/// Starts what `wanted` describes.  A command that does not exist or cannot run says so on
/// its standard error and exits with 127, as in a shell; an error here means that the guest
/// is out of something.
pub fn spawn(wanted: *const request.ExecRequest) sys.Error!Started {
    return if (wanted.terminal) spawnOnTerminal(wanted) else spawnOnPipes(wanted);
}

fn spawnOnPipes(wanted: *const request.ExecRequest) sys.Error!Started {
    var opened: Descriptors = .{};
    errdefer opened.closeAll();
    var child: [3]sys.fd_t = undefined;
    var started: Started = .{ .pid = undefined };

    if (wanted.takes_input) {
        const ends = try opened.pipe();
        child[0] = ends[0];
        started.stdin = ends[1];
        try sys.setNonblocking(ends[1]);
    } else {
        child[0] = try opened.keep(try sys.open("/dev/null", .{}, 0));
    }
    for ([_]*sys.fd_t{ &started.stdout, &started.stderr }, child[1..]) |ours, *theirs| {
        const ends = try opened.pipe();
        ours.* = ends[0];
        theirs.* = ends[1];
        try sys.setNonblocking(ends[0]);
        sys.enlargePipe(ends[0], pipe_bytes);
    }

    started.pid = try launch(&.{ .wanted = wanted, .standard = child });
    for (child) |fd| sys.close(fd);
    return started;
}

fn spawnOnTerminal(wanted: *const request.ExecRequest) sys.Error!Started {
    var opened: Descriptors = .{};
    errdefer opened.closeAll();
    const pair = try terminal.open();
    _ = opened.keep(pair.controller) catch unreachable;
    _ = opened.keep(pair.peer) catch unreachable;
    try sys.setNonblocking(pair.controller);
    const input = try opened.keep(try terminal.duplicate(pair.controller));

    const pid = try launch(&.{
        .wanted = wanted,
        .standard = @splat(pair.peer),
        .on_terminal = true,
    });
    return .{ .pid = pid, .stdin = input, .stdout = pair.controller, .terminal = pair.peer };
}

/// The descriptors to close again when something later fails.
const Descriptors = struct {
    fds: [6]sys.fd_t = undefined,
    count: usize = 0,

    fn keep(descriptors: *Descriptors, fd: sys.fd_t) sys.Error!sys.fd_t {
        descriptors.fds[descriptors.count] = fd;
        descriptors.count += 1;
        return fd;
    }

    fn pipe(descriptors: *Descriptors) sys.Error![2]sys.fd_t {
        const ends = try sys.pipe();
        for (ends) |fd| _ = try descriptors.keep(fd);
        return ends;
    }

    fn closeAll(descriptors: *Descriptors) void {
        for (descriptors.fds[0..descriptors.count]) |fd| sys.close(fd);
    }
};

/// The child's number in the parent, null in the child.
pub fn fork() sys.Error!?sys.pid_t {
    const pid = try sys.check(linux.fork());
    return if (pid == 0) null else @intCast(pid);
}

/// What a child needs to become its command.
const Launch = struct {
    wanted: *const request.ExecRequest,
    standard: [3]sys.fd_t,
    on_terminal: bool = false,
};

/// The stack of a child until it is its command; there is only one child at a time.
var launch_stack: [64 << 10]u8 align(16) = undefined;

/// Starts a child that shares the agent's memory until it is its command; the agent waits that
/// long, as after vfork(2).  A copy of the agent's page tables, and every page that either then
/// copies on its first write, would cost more than all else the agent does for a command.
fn launch(plan: *const Launch) sys.Error!sys.pid_t {
    const flags = linux.CLONE.VM | linux.CLONE.VFORK | linux.SIG.CHLD;
    const top = @intFromPtr(&launch_stack) + launch_stack.len;
    const pid = linux.clone(&runCommand, top, flags, @intFromPtr(plan), null, 0, null);
    return @intCast(try sys.check(pid));
}

/// The child's part: becomes the command.  It changes nothing but its own stack and descriptors.
fn runCommand(argument: usize) callconv(.c) u8 {
    const plan: *const Launch = @ptrFromInt(argument);
    complain(plan.wanted, become(plan.wanted, plan.standard, plan.on_terminal));
    linux.exit_group(exit_not_started);
}

/// In the words of a shell; it is the command's standard error that this is written to.
fn complain(wanted: *const request.ExecRequest, failure: Failure) void {
    const name = if (failure.folder) wanted.folder.? else wanted.command;
    const is_absent = failure.cause == error.NOENT or failure.cause == error.NOTDIR;
    const is_path = std.mem.indexOfScalar(u8, name, '/') != null;
    const verdict: []const u8 = if (failure.folder)
        "cannot be entered: "
    else if (!is_absent)
        "cannot be run: "
    else
        "";
    // A file that is there may lack its interpreter, of which the kernel says the same.
    const reason = if (is_absent and !failure.folder and !is_path)
        "not found"
    else
        sys.describe(failure.cause);
    for ([_][]const u8{ name, ": ", verdict, reason, "\n" }) |part| {
        sys.writeAll(2, part) catch break;
    }
}

const Failure = struct { cause: sys.Error, folder: bool = false };

fn become(wanted: *const request.ExecRequest, standard: [3]sys.fd_t, on_terminal: bool) Failure {
    _ = linux.setsid();
    for (standard, 0..) |fd, number| {
        _ = sys.check(linux.dup2(fd, @intCast(number))) catch |cause| return .{ .cause = cause };
    }
    if (on_terminal) terminal.takeControl(0) catch |cause| return .{ .cause = cause };
    restoreSignals();
    if (wanted.folder) |folder| {
        _ = sys.check(linux.chdir(folder)) catch |cause| return .{ .cause = cause, .folder = true };
    }
    return .{ .cause = execute(wanted) };
}

/// A command starts with no signal blocked; handlers end with execve(2) by themselves.
pub fn restoreSignals() void {
    const none = linux.sigemptyset();
    _ = linux.sigprocmask(linux.SIG.SETMASK, &none, null);
}

/// Replaces this process; returns only when that fails.
pub fn execute(wanted: *const request.ExecRequest) sys.Error {
    if (std.mem.indexOfScalar(u8, wanted.command, '/') != null) {
        return executeFile(wanted.command, wanted);
    }
    const search_path = request.variable(wanted.environment, "PATH") orelse search_path_default;
    var folders = std.mem.splitScalar(u8, search_path, ':');
    var cause: sys.Error = error.NOENT;
    while (folders.next()) |folder| {
        var buffer: sys.PathBuffer = undefined;
        const here = if (folder.len == 0) "." else folder;
        const path = sys.join(&buffer, &.{ here, "/", wanted.command }) catch continue;
        switch (executeFile(path, wanted)) {
            error.NOENT, error.NOTDIR => {},
            error.ACCES => cause = error.ACCES, // Another folder may have one that can run.
            else => |failure| return failure,
        }
    }
    return cause;
}

fn executeFile(path: [*:0]const u8, wanted: *const request.ExecRequest) sys.Error {
    const result = linux.execve(path, wanted.arguments.ptr, wanted.environment.ptr);
    _ = sys.check(result) catch |failure| return failure;
    unreachable;
}
