//! Removing a directory with all that is in it, a few entries at a time.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const Folder = @import("folder.zig").Folder;
const sys = @import("sys.zig");

/// How deep a tree may be: one open descriptor a level.
pub const depth_max = 256;

/// A megabyte: too much for a stack.
pub const Removal = struct {
    levels: [depth_max]Folder,
    names: [depth_max][linux.NAME_MAX:0]u8,
    depth: usize,
    /// File systems mounted inside the tree are left alone, and the directories above them.
    one_file_system: bool,
    device: u64,

    pub const Options = struct { one_file_system: bool = false };

    /// Begins to remove what is inside the directory that `top` is open on, though not that
    /// directory itself.  Symbolic links are removed, not followed.
    pub fn begin(removal: *Removal, top: sys.fd_t, options: Options) sys.Error!void {
        removal.levels[0] = try Folder.openAt(top, ".");
        removal.depth = 1;
        errdefer removal.end();
        removal.one_file_system = options.one_file_system;
        removal.device = try sys.deviceOf(top, "");
    }

    /// Removes up to `entries_max` entries.  True: nothing is left.  After a failure, as after
    /// the last entry, everything is closed.
    pub fn advance(removal: *Removal, entries_max: usize) sys.Error!bool {
        errdefer removal.end();
        for (0..entries_max) |_| {
            const level = &removal.levels[removal.depth - 1];
            if (try level.next()) |entry| {
                try removal.take(level.fd, entry.name);
            } else {
                if (removal.depth == 1) {
                    removal.end();
                    return true;
                }
                try removal.leave();
            }
        }
        return false;
    }

    /// Gives up; what is removed stays removed.
    pub fn end(removal: *Removal) void {
        for (removal.levels[0..removal.depth]) |*level| level.close();
        removal.depth = 0;
    }

    fn take(removal: *Removal, parent: sys.fd_t, name: [:0]const u8) sys.Error!void {
        sys.unlink(parent, name, 0) catch |failure| {
            if (failure != error.ISDIR) return failure;
            try removal.enter(parent, name);
        };
    }

    fn enter(removal: *Removal, parent: sys.fd_t, name: [:0]const u8) sys.Error!void {
        if (removal.depth == depth_max) return error.NAMETOOLONG;
        var inner = try Folder.openAt(parent, name);
        if (removal.one_file_system) {
            errdefer inner.close();
            if (try sys.deviceOf(inner.fd, "") != removal.device) return inner.close();
        }
        assert(name.len <= linux.NAME_MAX);
        @memcpy(removal.names[removal.depth][0 .. name.len + 1], name[0 .. name.len + 1]);
        removal.levels[removal.depth] = inner;
        removal.depth += 1;
    }

    /// Removes the directory that has become empty.
    fn leave(removal: *Removal) sys.Error!void {
        removal.depth -= 1;
        removal.levels[removal.depth].close();
        const parent = removal.levels[removal.depth - 1].fd;
        const name: [*:0]const u8 = &removal.names[removal.depth];
        sys.unlink(parent, name, linux.AT.REMOVEDIR) catch |failure| {
            if (!removal.one_file_system) return failure; // Else a mount inside holds it.
        };
    }
};
