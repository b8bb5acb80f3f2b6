//! What `/init` of the initramfs does where the root file system is a tree to work on, and not
//! a system to start (`bootsmith.tree` on the kernel's command line).
//!
//! Nothing of the tree is executed until the host asks for it: the agent runs out of the
//! initramfs, and the host has it run `prepare` once, `enter` for each command, and `seal`.

const std = @import("std");

const CommandLine = @import("../boot/command_line.zig").CommandLine;
const network = @import("../net/network.zig");
const ports = @import("../boot/ports.zig");
const supervise = @import("../boot/supervise.zig");
const sys = @import("../sys.zig");

/// Where the initramfs has mounted the tree.
pub const root = "/newroot";

/// A link to this executable, which the initramfs has for this purpose.
const agent = "/bin/sandboxd";

/// Serves the host.  Returns only when that is impossible.
pub fn run(line: *const CommandLine) sys.Error {
    network.configure(line);
    ports.link();
    supervise.run(&.{agent}, @ptrCast(std.os.environ.ptr)) catch |failure| return failure;
    unreachable;
}
