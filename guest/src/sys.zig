//! Linux system calls as Zig functions: a call that fails returns an error named after its
//! errno without the `E` (`error.NOENT`), one that was interrupted is repeated.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

pub const fd_t = linux.fd_t;
pub const pid_t = linux.pid_t;

/// The longest path Linux takes, with its final zero byte.
pub const path_bytes_max = linux.PATH_MAX;

/// One error per errno of this architecture.
pub const Error = ErrnoErrors(linux.E);

fn ErrnoErrors(comptime Errno: type) type {
    @setEvalBranchQuota(10_000);
    const fields = @typeInfo(Errno).@"enum".fields;
    var errors: [fields.len]std.builtin.Type.Error = undefined;
    for (fields, &errors) |field, *slot| slot.* = .{ .name = field.name };
    return @Type(.{ .error_set = &errors });
}

/// The result of a raw system call, or its errno as an error.
pub fn check(result: usize) Error!usize {
    const errno = linux.E.init(result);
    if (errno == .SUCCESS) return result;
    inline for (@typeInfo(linux.E).@"enum".fields) |field| {
        if (field.value == @intFromEnum(errno)) return @field(Error, field.name);
    }
    return error.IO; // A number this table does not know: the kernel is newer than it.
}

/// The errno that `failure` stands for.
pub fn errnoOf(failure: Error) u16 {
    inline for (@typeInfo(linux.E).@"enum".fields) |field| {
        if (failure == @field(Error, field.name)) return field.value;
    }
    unreachable;
}

/// What the C library would print for the errors people meet; the errno's name for others.
pub fn describe(failure: Error) []const u8 {
    return switch (failure) {
        error.NOENT => "no such file or directory",
        error.ACCES => "permission denied",
        error.PERM => "operation not permitted",
        error.EXIST => "file exists",
        error.NOTDIR => "not a directory",
        error.ISDIR => "is a directory",
        error.NOTEMPTY => "directory not empty",
        error.NOSPC => "no space left on device",
        error.ROFS => "read-only file system",
        error.NODEV => "no such device",
        error.NXIO => "no such device or address",
        error.NOEXEC => "exec format error",
        error.LOOP => "too many levels of symbolic links",
        error.NAMETOOLONG => "file name too long",
        error.INVAL => "invalid argument",
        error.IO => "input/output error",
        error.BUSY => "device or resource busy",
        error.TIMEDOUT => "timed out",
        error.CONNREFUSED => "connection refused",
        error.@"2BIG" => "argument list too long",
        else => @errorName(failure),
    };
}

pub fn open(path: [*:0]const u8, flags: linux.O, mode: linux.mode_t) Error!fd_t {
    return openat(linux.AT.FDCWD, path, flags, mode);
}

pub noinline fn openat(
    folder: fd_t,
    path: [*:0]const u8,
    flags: linux.O,
    mode: linux.mode_t,
) Error!fd_t {
    var closed_on_exec = flags;
    closed_on_exec.CLOEXEC = true;
    while (true) {
        const fd = check(linux.openat(folder, path, closed_on_exec, mode)) catch |failure| {
            if (failure == error.INTR) continue;
            return failure;
        };
        return @intCast(fd);
    }
}

/// Closes `fd`.  Nothing useful can be done when that fails.
pub fn close(fd: fd_t) void {
    assert(fd >= 0);
    _ = linux.close(fd);
}

pub noinline fn read(fd: fd_t, buffer: []u8) Error!usize {
    assert(buffer.len > 0);
    while (true) {
        return check(linux.read(fd, buffer.ptr, buffer.len)) catch |failure| {
            if (failure == error.INTR) continue;
            return failure;
        };
    }
}

pub noinline fn write(fd: fd_t, bytes: []const u8) Error!usize {
    while (true) {
        return check(linux.write(fd, bytes.ptr, bytes.len)) catch |failure| {
            if (failure == error.INTR) continue;
            return failure;
        };
    }
}

pub fn writeAll(fd: fd_t, bytes: []const u8) Error!void {
    var done: usize = 0;
    while (done < bytes.len) {
        const written = try write(fd, bytes[done..]);
        if (written == 0) return error.IO;
        done += written;
    }
}

/// As much of the file `path` as fits `buffer`.
pub noinline fn readFile(path: [*:0]const u8, buffer: []u8) Error![]u8 {
    const fd = try open(path, .{}, 0);
    defer close(fd);
    var size: usize = 0;
    while (size < buffer.len) {
        const count = try read(fd, buffer[size..]);
        if (count == 0) break;
        size += count;
    }
    return buffer[0..size];
}

/// Creates or replaces the file `path`.
pub fn writeFile(path: [*:0]const u8, bytes: []const u8, mode: linux.mode_t) Error!void {
    const fd = try open(path, .{ .ACCMODE = .WRONLY, .CREAT = true, .TRUNC = true }, mode);
    defer close(fd);
    try writeAll(fd, bytes);
}

pub fn mkdir(path: [*:0]const u8, mode: linux.mode_t) Error!void {
    _ = check(linux.mkdir(path, mode)) catch |failure| {
        if (failure != error.EXIST) return failure;
    };
}

/// `mkdir -p`: creates `path` (absolute or relative) and every folder above it.
pub fn mkdirAll(path: []const u8, mode: linux.mode_t) Error!void {
    var buffer: PathBuffer = undefined;
    var end: usize = 0;
    while (end < path.len) {
        end = std.mem.indexOfScalarPos(u8, path, end + 1, '/') orelse path.len;
        try mkdir(try terminated(&buffer, path[0..end]), mode);
    }
}

pub fn symlink(target: [*:0]const u8, path: [*:0]const u8) Error!void {
    _ = try check(linux.symlink(target, path));
}

/// unlinkat(2): `flags` is `AT.REMOVEDIR` for a directory.
pub fn unlink(folder: fd_t, path: [*:0]const u8, flags: u32) Error!void {
    _ = try check(linux.unlinkat(folder, path, flags));
}

pub fn exists(path: [*:0]const u8) bool {
    _ = check(linux.access(path, linux.F_OK)) catch return false;
    return true;
}

/// What makes a file itself, whatever its path.
pub const Identity = struct { device: u64, inode: u64 };

pub fn identity(path: [*:0]const u8) Error!Identity {
    const status = try statusOf(linux.AT.FDCWD, path);
    return .{ .device = device(status), .inode = status.ino };
}

/// The device that holds `path` (or, when that is empty, what `folder` is open on).
pub fn deviceOf(folder: fd_t, path: [*:0]const u8) Error!u64 {
    return device(try statusOf(folder, path));
}

fn device(status: linux.Statx) u64 {
    return @as(u64, status.dev_major) << 32 | status.dev_minor;
}

fn statusOf(folder: fd_t, path: [*:0]const u8) Error!linux.Statx {
    var status: linux.Statx = undefined;
    _ = try check(linux.statx(folder, path, linux.AT.EMPTY_PATH, linux.STATX_INO, &status));
    return status;
}

/// Whether `path` is on a file system that lives in memory (statfs(2)).
pub fn isInMemory(path: [*:0]const u8) Error!bool {
    const ramfs = 0x858458f6;
    const tmpfs = 0x01021994;
    var status: extern struct { kind: u64, rest: [14]u64 } = undefined;
    _ = try check(linux.syscall2(.statfs, @intFromPtr(path), @intFromPtr(&status)));
    return status.kind == ramfs or status.kind == tmpfs;
}

pub fn pipe() Error![2]fd_t {
    var ends: [2]fd_t = undefined;
    _ = try check(linux.pipe2(&ends, .{ .CLOEXEC = true }));
    return ends;
}

/// Lets a pipe hold `size` bytes; where that is refused it stays as it is.
pub fn enlargePipe(fd: fd_t, size: usize) void {
    const F_SETPIPE_SZ = 1031;
    _ = linux.fcntl(fd, F_SETPIPE_SZ, size);
}

pub fn setNonblocking(fd: fd_t) Error!void {
    const flags = try check(linux.fcntl(fd, linux.F.GETFL, 0));
    const nonblocking: u32 = @bitCast(linux.O{ .NONBLOCK = true });
    _ = try check(linux.fcntl(fd, linux.F.SETFL, flags | nonblocking));
}

pub fn setCloseOnExec(fd: fd_t) Error!void {
    _ = try check(linux.fcntl(fd, linux.F.SETFD, linux.FD_CLOEXEC));
}

/// Waits until one of `fds` is ready or `timeout_ms` (negative: for ever) has passed.
pub noinline fn poll(fds: []linux.pollfd, timeout_ms: i32) Error!usize {
    return check(linux.poll(fds.ptr, fds.len, timeout_ms)) catch |failure| {
        if (failure == error.INTR) return 0; // The caller looks at everything again anyway.
        return failure;
    };
}

/// Milliseconds of a clock that only goes forward.
pub fn nowMs() u64 {
    var time: linux.timespec = undefined;
    _ = check(linux.clock_gettime(.MONOTONIC, &time)) catch unreachable;
    return @as(u64, @intCast(time.sec)) * 1000 + @as(u64, @intCast(time.nsec)) / 1_000_000;
}

pub fn sleepMs(duration_ms: u32) void {
    const time: linux.timespec = .{
        .sec = duration_ms / 1000,
        .nsec = @as(isize, duration_ms % 1000) * 1_000_000,
    };
    _ = linux.nanosleep(&time, null);
}

pub const PathBuffer = [path_bytes_max]u8;

/// `path` with a zero byte behind it.  A path with a zero byte inside is refused.
pub fn terminated(buffer: *PathBuffer, path: []const u8) Error![:0]const u8 {
    return join(buffer, &.{path});
}

/// The concatenation of `parts` as a path.
pub noinline fn join(buffer: *PathBuffer, parts: []const []const u8) Error![:0]const u8 {
    var size: usize = 0;
    for (parts) |part| {
        if (part.len >= buffer.len - size) return error.NAMETOOLONG;
        if (std.mem.indexOfScalar(u8, part, 0) != null) return error.INVAL;
        @memcpy(buffer[size..][0..part.len], part);
        size += part.len;
    }
    buffer[size] = 0;
    return buffer[0..size :0];
}

test "an errno becomes an error and back" {
    const refused: usize = @bitCast(@as(isize, -13));
    try std.testing.expectError(error.ACCES, check(refused));
    try std.testing.expectEqual(13, errnoOf(error.ACCES));
    try std.testing.expectEqual(7, try check(7));
}

test "a path is bounded and free of zero bytes" {
    var buffer: PathBuffer = undefined;
    try std.testing.expectEqualStrings("/a/b", try join(&buffer, &.{ "/a", "/b" }));
    try std.testing.expectError(error.INVAL, terminated(&buffer, "a\x00b"));
    try std.testing.expectError(error.NAMETOOLONG, terminated(&buffer, "x" ** path_bytes_max));
    try std.testing.expectEqual(
        path_bytes_max - 1,
        (try terminated(&buffer, "x" ** (path_bytes_max - 1))).len,
    );
}
