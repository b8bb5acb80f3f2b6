//! The entries of a directory (getdents64(2)), and removing a whole tree of them.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const sys = @import("sys.zig");

pub const Entry = struct {
    name: [:0]const u8,
    kind: u8,

    pub fn isFolder(entry: Entry) bool {
        return entry.kind == linux.DT.DIR;
    }
};

pub const Folder = struct {
    fd: sys.fd_t,
    buffer: [4096]u8 align(8) = undefined,
    position: usize = 0,
    size: usize = 0,

    pub fn open(path: [*:0]const u8) sys.Error!Folder {
        return openAt(linux.AT.FDCWD, path);
    }

    /// Opens a directory; a symbolic link to one is refused.
    pub fn openAt(parent: sys.fd_t, path: [*:0]const u8) sys.Error!Folder {
        return .{ .fd = try sys.openat(parent, path, .{ .DIRECTORY = true, .NOFOLLOW = true }, 0) };
    }

    pub fn close(folder: *Folder) void {
        sys.close(folder.fd);
    }

    /// The next entry other than `.` and `..`, valid until the next call.
    pub fn next(folder: *Folder) sys.Error!?Entry {
        while (true) {
            if (folder.position == folder.size) {
                const result = linux.getdents64(folder.fd, &folder.buffer, folder.buffer.len);
                folder.size = try sys.check(result);
                folder.position = 0;
                if (folder.size == 0) return null;
            }
            const record: *align(8) const linux.dirent64 =
                @ptrCast(@alignCast(&folder.buffer[folder.position]));
            assert(folder.position + record.reclen <= folder.size);
            const start = folder.position + @offsetOf(linux.dirent64, "name");
            const text: [*:0]const u8 = @ptrCast(&folder.buffer[start]);
            folder.position += record.reclen;
            const name = std.mem.span(text);
            if (std.mem.eql(u8, name, ".") or std.mem.eql(u8, name, "..")) continue;
            return .{ .name = name, .kind = record.type };
        }
    }

    /// Begins again with the first entry.
    pub fn rewind(folder: *Folder) sys.Error!void {
        _ = try sys.check(linux.lseek(folder.fd, 0, linux.SEEK.SET));
        folder.position = 0;
        folder.size = 0;
    }
};

/// How deep a tree may be that is removed as a whole: one open descriptor a level.
pub const depth_max = 256;

pub const Removal = struct {
    /// File systems mounted inside the tree are left alone.
    one_file_system: bool = false,
};

/// The directories from the top of a removal down to where it is, and their names.  A megabyte:
/// too much for the stack, and there is only one removal at a time.
var levels: [depth_max]Folder = undefined;
var names: [depth_max][linux.NAME_MAX:0]u8 = undefined;

/// Removes everything inside the directory `top`, but not the directory itself.  Symbolic
/// links are removed, not followed.
pub fn removeContents(top: sys.fd_t, removal: Removal) sys.Error!void {
    levels[0] = try Folder.openAt(top, ".");
    var depth: usize = 1;
    defer for (levels[0..depth]) |*level| level.close();
    const device = try sys.deviceOf(levels[0].fd, "");

    while (depth > 0) {
        const level = &levels[depth - 1];
        const entry = try level.next() orelse {
            if (depth == 1) return;
            level.close();
            depth -= 1;
            const parent = levels[depth - 1].fd;
            const name = std.mem.sliceTo(&names[depth], 0);
            unlink(parent, names[depth][0..name.len :0], linux.AT.REMOVEDIR) catch |failure| {
                if (!removal.one_file_system) return failure; // A mount point has to stay.
            };
            continue;
        };
        unlink(level.fd, entry.name, 0) catch |failure| {
            if (failure != error.ISDIR) return failure;
            if (depth == depth_max) return error.NAMETOOLONG;
            @memcpy(names[depth][0 .. entry.name.len + 1], entry.name[0 .. entry.name.len + 1]);
            var inner = try Folder.openAt(level.fd, entry.name);
            if (removal.one_file_system and try sys.deviceOf(inner.fd, "") != device) {
                inner.close();
                continue;
            }
            levels[depth] = inner;
            depth += 1;
        };
    }
}

pub fn unlink(parent: sys.fd_t, name: [*:0]const u8, flags: u32) sys.Error!void {
    _ = try sys.check(linux.unlinkat(parent, name, flags));
}
