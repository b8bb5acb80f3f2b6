//! What a tree's programs may do as root: capabilities(7) to make files, owners and users, and
//! no more.  The same as in a sandbox of namespaces (`host/sandbox/init.py`).

const linux = @import("std").os.linux;

const sys = @import("../sys.zig");

/// <linux/capability.h>
const kept = blk: {
    var mask: u64 = 0;
    for ([_]u6{
        0, // CAP_CHOWN
        1, // CAP_DAC_OVERRIDE
        3, // CAP_FOWNER
        4, // CAP_FSETID
        5, // CAP_KILL
        6, // CAP_SETGID
        7, // CAP_SETUID
        8, // CAP_SETPCAP
        10, // CAP_NET_BIND_SERVICE
        18, // CAP_SYS_CHROOT
        27, // CAP_MKNOD: a device made is data, the root is mounted nodev
        29, // CAP_AUDIT_WRITE
        31, // CAP_SETFCAP
    }) |number| mask |= @as(u64, 1) << number;
    break :blk mask;
};

const version_3 = 0x20080522;

const Header = extern struct { version: u32, pid: i32 };
const Data = extern struct { effective: u32, permitted: u32, inheritable: u32 };

comptime {
    if (@sizeOf(Header) != 8) @compileError("struct __user_cap_header_struct");
    if (@sizeOf(Data) != 12) @compileError("struct __user_cap_data_struct");
}

/// Gives up every other capability, for this process and all it will execute.
pub fn keepOnlyOwn() sys.Error!void {
    for (0..64) |number| {
        if (kept >> @intCast(number) & 1 != 0) continue;
        const result = linux.prctl(@intFromEnum(linux.PR.CAPBSET_DROP), number, 0, 0, 0);
        _ = sys.check(result) catch |failure| {
            if (failure == error.INVAL) break; // Beyond the last one this kernel has.
            return failure;
        };
    }
    const header: Header = .{ .version = version_3, .pid = 0 };
    const low: u32 = @truncate(kept);
    const data = [2]Data{
        .{ .effective = low, .permitted = low, .inheritable = 0 },
        .{ .effective = 0, .permitted = 0, .inheritable = 0 },
    };
    _ = try sys.check(linux.syscall2(.capset, @intFromPtr(&header), @intFromPtr(&data)));
}
