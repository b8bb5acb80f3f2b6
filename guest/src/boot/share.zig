//! The host's shared file system: `sandboxfs.mount=FOLDER` and `sandboxfs.bind=PATH,PATH…` on
//! the kernel's command line.  Each bound path shows what the share holds below that path.

const std = @import("std");
const linux = std.os.linux;

const CommandLine = @import("command_line.zig").CommandLine;
const console = @import("../console.zig");
const modules = @import("modules.zig");
const ports = @import("ports.zig");
const sandboxfs = @import("../share/sandboxfs.zig");
const spawn = @import("../agent/spawn.zig");
const sys = @import("../sys.zig");

const program = "/usr/bin/sandboxfs";
const port_name = "virtio-fs";
const mounts_file = "/proc/self/mounts";

/// What is left for the agent, and for whoever asks from inside.
const ready_file = "/run/sandboxfs.ready";
const failed_file = "/run/sandboxfs.failed";

const wait_ms = 10_000;

/// Mounts the share that the command line asks for; does nothing when it asks for none.
pub fn mount(line: *const CommandLine) void {
    const target = line.value("sandboxfs.mount") orelse return;
    mountAt(target) catch |failure| {
        const reason = switch (failure) {
            error.NODEV => "there is no port '" ++ port_name ++ "'",
            error.CHILD => program ++ " ended",
            else => sys.describe(failure),
        };
        console.say(&.{ "cannot mount the host's share at ", target, ": ", reason });
        return leave(failed_file, reason);
    };
    var paths = std.mem.tokenizeScalar(u8, line.value("sandboxfs.bind") orelse "", ',');
    while (paths.next()) |path| bind(target, path) catch |failure| {
        console.complain(&.{ "cannot show the host's share at ", path }, failure);
    };
    leave(ready_file, "ok");
}

fn mountAt(target: []const u8) sys.Error!void {
    if (!sys.exists("/dev/fuse")) try modules.loadForThisKernel("fuse");
    try sys.mkdirAll(target, 0o755);
    const mounts = try sys.open(mounts_file, .{}, 0);
    defer sys.close(mounts);
    const pid = try start(target);
    try waitForMount(mounts, target, pid);
}

/// Starts the file system's server, which outlives this process.
fn start(target: []const u8) sys.Error!sys.pid_t {
    var buffers: [2]sys.PathBuffer = undefined;
    const folder = try sys.terminated(&buffers[0], target);
    const port = ports.find(port_name, &buffers[1]) orelse return error.NODEV;
    return try spawn.fork() orelse {
        const words = [_:null]?[*:0]const u8{ program, "--mount", folder, "--rpc-path", port };
        const environment: [*:null]const ?[*:0]const u8 = @ptrCast(std.os.environ.ptr);
        _ = sys.check(linux.execve(program, &words, environment)) catch |failure| {
            console.complain(&.{ "cannot start ", program }, failure);
        };
        linux.exit_group(127);
    };
}

/// Waits for the mount; the kernel wakes whoever polls its list of mounts when that changes.
fn waitForMount(mounts: sys.fd_t, target: []const u8, pid: sys.pid_t) sys.Error!void {
    const deadline_ms = sys.nowMs() + wait_ms;
    while (!try isMounted(mounts, target)) {
        const left_ms = deadline_ms -| sys.nowMs();
        if (left_ms == 0) return error.TIMEDOUT;
        var status: u32 = undefined;
        const ended = try sys.check(linux.waitpid(pid, &status, linux.W.NOHANG));
        if (ended != 0) return error.CHILD; // It has said on the console why.
        var fds = [_]linux.pollfd{.{ .fd = mounts, .events = linux.POLL.PRI, .revents = 0 }};
        // A server that fails changes no mounts: look at it now and then.
        _ = try sys.poll(&fds, @intCast(@min(left_ms, 100)));
    }
}

fn isMounted(mounts: sys.fd_t, target: []const u8) sys.Error!bool {
    var buffer: [16 << 10]u8 = undefined;
    _ = try sys.check(linux.lseek(mounts, 0, linux.SEEK.SET));
    var size: usize = 0;
    while (size < buffer.len) {
        const count = try sys.read(mounts, buffer[size..]);
        if (count == 0) break;
        size += count;
    }
    var lines = std.mem.tokenizeScalar(u8, buffer[0..size], '\n');
    while (lines.next()) |text| {
        var fields = std.mem.tokenizeScalar(u8, text, ' ');
        _ = fields.next() orelse continue;
        const place = fields.next() orelse continue;
        const found = fields.next() orelse continue;
        if (std.mem.eql(u8, place, target) and std.mem.eql(u8, found, sandboxfs.kind)) return true;
    }
    return false;
}

fn bind(share: []const u8, path: []const u8) sys.Error!void {
    var buffers: [2]sys.PathBuffer = undefined;
    const root = if (std.mem.eql(u8, share, "/")) "" else share;
    const source = try sys.join(&buffers[0], &.{ root, path });
    try sys.mkdirAll(path, 0o755);
    const target = try sys.terminated(&buffers[1], path);
    _ = try sys.check(linux.mount(source, target, null, linux.MS.BIND, 0));
}

fn leave(path: [*:0]const u8, text: []const u8) void {
    sys.writeFile(path, text, 0o644) catch |failure| {
        console.complain(&.{std.mem.span(path)}, failure);
    };
}
