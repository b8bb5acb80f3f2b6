//! One executable for everything bootsmith does inside a guest.  The name it is called by
//! (or, when that is `bootsmith-guest`, its first argument) chooses the program.

const std = @import("std");
const linux = std.os.linux;

const agent = @import("agent/agent.zig");
const arguments = @import("arguments.zig");
const console = @import("console.zig");
const enter = @import("tree/enter.zig");
const environment = @import("boot/environment.zig");
const forwarder = @import("forward/forwarder.zig");
const grow = @import("boot/grow.zig");
const initramfs = @import("boot/initramfs.zig");
const modules = @import("boot/modules.zig");
const plain_init = @import("boot/plain_init.zig");
const Port = @import("port.zig").Port;
const power = @import("boot/power.zig");
const prepare = @import("tree/prepare.zig");
const sandboxfs = @import("share/sandboxfs.zig");
const seal = @import("tree/seal.zig");
const setup = @import("boot/setup.zig");
const supervise = @import("boot/supervise.zig");
const sys = @import("sys.zig");

pub const std_options: std.Options = .{ .enable_segfault_handler = false };
pub const panic = std.debug.FullPanic(reportPanic);

const Program = struct {
    run: *const fn (words: arguments.Words) sys.Error!void,
    /// What may follow its name.
    usage: []const u8 = "",
};

const line_usage = " [--port NAME-OR-PATH | --fd NUMBER | --listen PATH]";

const programs = std.StaticStringMap(Program).initComptime(.{
    .{ "init", Program{ .run = &runInit } },
    .{ "sandboxd", Program{ .run = &runAgent, .usage = line_usage } },
    .{ "sandboxfs", Program{ .run = &runShare, .usage = " --mount FOLDER" ++ line_usage } },
    .{ "sandboxssh", Program{ .run = &forwardSsh, .usage = line_usage } },
    .{ "sandboxingress", Program{ .run = &forwardIngress, .usage = line_usage } },
    .{ "setup", Program{ .run = &runSetup } },
    .{ "environment", Program{ .run = &environment.runUnder, .usage = " PROGRAM [WORD…]" } },
    .{ "supervise", Program{ .run = &runSupervisor, .usage = " PROGRAM…" } },
    .{ "modules", Program{ .run = &loadModules } },
    .{ "poweroff", Program{ .run = &runPowerOff } },
    .{ "grow", Program{ .run = &growFileSystem } },
    .{ "prepare", Program{ .run = &prepare.run } },
    .{ "enter", Program{ .run = &enter.run } },
    .{ "seal", Program{ .run = &runSeal } },
});

pub fn main() u8 {
    occupyStandardDescriptors();
    var words: arguments.Words = .{ .rest = std.os.argv };
    var name = baseName(words.next() orelse "");
    if (std.mem.eql(u8, name, "bootsmith-guest")) name = words.next() orelse "";
    const program = programs.get(name) orelse {
        console.say(&.{ "there is no program called '", name, "' in here" });
        return 2;
    };
    if (words.rest.len == 1 and isHelp(std.mem.span(words.rest[0]))) {
        for ([_][]const u8{ "usage: ", name, program.usage, "\n" }) |part| {
            sys.writeAll(1, part) catch return 1;
        }
        return 0;
    }
    program.run(words) catch |failure| {
        console.complain(&.{name}, failure);
        return 1;
    };
    return 0;
}

fn isHelp(word: []const u8) bool {
    return std.mem.eql(u8, word, "--help") or std.mem.eql(u8, word, "-h");
}

fn runAgent(words: arguments.Words) sys.Error!void {
    const source = try arguments.portSource(words, "virtio-port");
    agent.serve(source, std.os.environ) catch |failure| {
        if (failure != error.NODEV) return failure;
        // The host's choice; there is nothing to try again.
        console.say(&.{"sandboxd: there is no port 'virtio-port'; leaving"});
    };
}

fn runShare(words: arguments.Words) sys.Error!void {
    try sandboxfs.serve(try arguments.shareOptions(words, "virtio-fs"));
}

fn forwardSsh(words: arguments.Words) sys.Error!void {
    try forward(try arguments.portSource(words, "virtio-ssh"));
}

fn forwardIngress(words: arguments.Words) sys.Error!void {
    try forward(try arguments.portSource(words, "virtio-ingress"));
}

fn forward(source: Port.Source) sys.Error!void {
    forwarder.serve(source) catch |failure| {
        if (failure != error.NODEV) return failure; // Most hosts have no such port.
    };
}

/// The same name in two places: an initramfs lies in memory, a root file system does not.
fn runInit(_: arguments.Words) sys.Error!void {
    if (try sys.isInMemory("/")) initramfs.run();
    try plain_init.run();
}

fn runSupervisor(words: arguments.Words) sys.Error!void {
    var paths: [supervise.programs_max][:0]const u8 = undefined;
    var count: usize = 0;
    var rest = words;
    while (rest.next()) |path| : (count += 1) {
        if (count == paths.len) return error.@"2BIG";
        paths[count] = path;
    }
    try supervise.run(paths[0..count], @ptrCast(std.os.environ.ptr));
}

fn runSetup(_: arguments.Words) sys.Error!void {
    setup.run();
}

fn loadModules(_: arguments.Words) sys.Error!void {
    try modules.loadForThisKernel(null);
}

fn runPowerOff(_: arguments.Words) sys.Error!void {
    return power.request(.power_off);
}

fn growFileSystem(words: arguments.Words) sys.Error!void {
    var rest = words;
    try grow.run(rest.next() orelse "/");
}

fn runSeal(_: arguments.Words) sys.Error!void {
    try seal.run();
}

fn baseName(path: []const u8) []const u8 {
    const slash = std.mem.lastIndexOfScalar(u8, path, '/') orelse return path;
    return path[slash + 1 ..];
}

/// Makes sure that no descriptor opened later is taken for standard input or output.
fn occupyStandardDescriptors() void {
    while (true) {
        const fd = sys.open("/dev/null", .{ .ACCMODE = .RDWR }, 0) catch return;
        if (fd > 2) return sys.close(fd);
    }
}

/// A failed safety check ends the process with one line; there are no symbols for a trace.
fn reportPanic(reason: []const u8, _: ?usize) noreturn {
    @branchHint(.cold);
    console.say(&.{ "panic: ", reason });
    linux.exit_group(134); // As abort(3) would look to a shell.
}

test {
    _ = @import("cbor.zig");
    _ = @import("frame.zig");
    _ = @import("message.zig");
    _ = @import("ring.zig");
    _ = @import("agent/request.zig");
    _ = @import("boot/command_line.zig");
    _ = @import("boot/environment.zig");
    _ = @import("boot/grow.zig");
    _ = @import("net/dhcp.zig");
    _ = @import("net/interface.zig");
    _ = @import("net/lease.zig");
    _ = @import("share/attributes.zig");
    _ = @import("share/directory.zig");
    std.testing.refAllDecls(@This());
}
