//! Loading kernel modules in the order that a list gives (`bootsmith-guest modules`).
//!
//! Each line of the list is the absolute path of an uncompressed module, and after a space its
//! parameters; those of the kernel's command line follow.  Whoever made the list has resolved
//! the dependencies.

const std = @import("std");
const linux = std.os.linux;

const command_line = @import("command_line.zig");
const CommandLine = command_line.CommandLine;
const console = @import("../console.zig");
const sys = @import("../sys.zig");

/// The list in a root file system; the release is what uname(2) says.
const folder = "/lib/modules/";
const list_name = "/modules.load";

const list_bytes_max = 64 << 10;

/// Loads what the root file system's list for the running kernel names, if it has one; with
/// `name` only that module (`fuse`).
pub fn loadForThisKernel(name: ?[]const u8) sys.Error!void {
    var system: linux.utsname = undefined;
    _ = try sys.check(linux.uname(&system));
    var buffer: sys.PathBuffer = undefined;
    const release = std.mem.sliceTo(&system.release, 0);
    load(try sys.join(&buffer, &.{ folder, release, list_name }), name) catch |failure| {
        if (failure != error.NOENT) return failure;
    };
}

/// Loads what the file `list` names, or of that only the module `name`.  A module that is
/// missing or refused is reported and passed over: the machine may do without it.
pub fn load(list: [*:0]const u8, name: ?[]const u8) sys.Error!void {
    var buffer: [list_bytes_max]u8 = undefined;
    const content = try sys.readFile(list, &buffer);
    var kernel_line: CommandLine = .{};
    kernel_line.load();
    var lines = std.mem.tokenizeScalar(u8, content, '\n');
    while (lines.next()) |line| {
        const end = std.mem.indexOfScalar(u8, line, ' ') orelse line.len;
        if (name) |wanted| if (!std.mem.eql(u8, nameOf(line[0..end]), wanted)) continue;
        const path = line[0..end];
        const parameters = std.mem.trimStart(u8, line[end..], " ");
        loadOne(path, parameters, &kernel_line) catch |failure| {
            console.complain(&.{ "cannot load ", path }, failure);
        };
    }
}

/// The module that lies at `path`: its last part up to the first dot.
fn nameOf(path: []const u8) []const u8 {
    const start = if (std.mem.lastIndexOfScalar(u8, path, '/')) |slash| slash + 1 else 0;
    const end = std.mem.indexOfScalarPos(u8, path, start, '.') orelse path.len;
    return path[start..end];
}

fn loadOne(path: []const u8, given: []const u8, line: *const CommandLine) sys.Error!void {
    var path_buffer: sys.PathBuffer = undefined;
    var parameter_buffer: [command_line.command_line_bytes_max]u8 = undefined;
    const fd = try sys.open(try sys.terminated(&path_buffer, path), .{}, 0);
    defer sys.close(fd);
    const words = try line.moduleParameters(nameOf(path), given, &parameter_buffer);
    const result = linux.syscall3(
        .finit_module,
        @as(usize, @intCast(fd)),
        @intFromPtr(words.ptr),
        0,
    );
    _ = sys.check(result) catch |failure| {
        if (failure != error.EXIST) return failure; // Built in, or loaded before.
    };
}
