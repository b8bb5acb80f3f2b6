//! `bootsmith-guest grow PATH`: makes the ext4 file system at PATH as large as its disk, while it
//! is mounted.  The kernel does the work (EXT4_IOC_RESIZE_FS, fs/ext4/ioctl.c).

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const arguments = @import("../arguments.zig");
const sys = @import("../sys.zig");

/// _IOW('f', 16, __u64): the new number of blocks.
const EXT4_IOC_RESIZE_FS = 0x40086610;

/// struct statfs of 64-bit Linux.
const FileSystem = extern struct {
    kind: u64,
    block_bytes: u64,
    blocks: u64,
    rest: [12]u64,
};

comptime {
    assert(@sizeOf(FileSystem) == 120);
}

pub fn run(path: [:0]const u8) sys.Error!void {
    var status: FileSystem = undefined;
    _ = try sys.check(linux.syscall2(.statfs, @intFromPtr(path.ptr), @intFromPtr(&status)));
    if (status.block_bytes == 0) return error.INVAL;
    const root = try sys.open(path, .{ .DIRECTORY = true }, 0);
    defer sys.close(root);
    const blocks: u64 = try deviceBytes(path) / status.block_bytes;
    _ = try sys.check(linux.ioctl(root, EXT4_IOC_RESIZE_FS, @intFromPtr(&blocks)));
}

/// The size of the disk below `path`.  It is found by number: it need not be /dev/vda, and
/// /proc/mounts may call it /dev/root.
fn deviceBytes(path: [:0]const u8) sys.Error!u64 {
    const sector_bytes = 512; // In sysfs, whatever the disk's own are.
    const number = try sys.deviceOf(linux.AT.FDCWD, path);
    var place: [64]u8 = undefined;
    var buffer: [32]u8 = undefined;
    const size = try sys.readFile(sizeFile(&place, number), &buffer);
    const sectors = arguments.parseNumber(u64, std.mem.trim(u8, size, "\n"));
    return (sectors orelse return error.IO) * sector_bytes;
}

fn sizeFile(buffer: *[64]u8, number: u64) [:0]const u8 {
    const pattern = "/sys/dev/block/{d}:{d}/size";
    const parts = .{ number >> 32, number & 0xffff_ffff };
    return std.fmt.bufPrintZ(buffer, pattern, parts) catch unreachable; // 2^32 has ten digits.
}

test "where the kernel tells a disk's size" {
    var buffer: [64]u8 = undefined;
    const place = sizeFile(&buffer, 254 << 32 | 1);
    try std.testing.expectEqualStrings("/sys/dev/block/254:1/size", place);
}
