//! The path of a file request: absolute, or below the request's `cwd`, or below `/`.

const std = @import("std");

const cbor = @import("../cbor.zig");
const sys = @import("../sys.zig");

pub const Failure = cbor.WrongType || sys.Error;

/// The file that the request's body names.
pub fn read(body: cbor.Item, buffer: *sys.PathBuffer) Failure![:0]const u8 {
    const path = try (try body.required("path")).word();
    if (path.len == 0) return error.WrongType;
    if (path[0] == '/') return sys.terminated(buffer, path);
    const folder = if (try body.get("cwd")) |item| try item.word() else "";
    return sys.join(buffer, &.{ if (folder.len == 0) "" else folder, "/", path });
}

/// `path` without slashes at its end; null when it names `/` or a directory only by `.` or
/// `..`, which nobody can mean to delete.
pub fn deletable(path: [:0]u8) ?[:0]const u8 {
    const end = std.mem.trimEnd(u8, path, "/").len;
    path[end] = 0;
    const trimmed = path[0..end :0];
    const slash = std.mem.lastIndexOfScalar(u8, trimmed, '/') orelse return null;
    const name = trimmed[slash + 1 ..];
    if (std.mem.eql(u8, name, ".") or std.mem.eql(u8, name, "..")) return null;
    return trimmed;
}
