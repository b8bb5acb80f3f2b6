//! The entries of a directory (getdents64(2)).

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
};
