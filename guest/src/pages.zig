//! Memory that comes from the kernel when it is needed and goes back when it is not.

const linux = @import("std").os.linux;
const sys = @import("sys.zig");

/// `size` zero bytes; pages count only once they are touched.
pub fn map(size: usize) sys.Error![]u8 {
    const address = try sys.check(linux.mmap(
        null,
        size,
        linux.PROT.READ | linux.PROT.WRITE,
        .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true },
        -1,
        0,
    ));
    const memory: [*]u8 = @ptrFromInt(address);
    return memory[0..size];
}

/// Gives back what `map` returned; nothing for an empty slice.
pub fn unmap(memory: []u8) void {
    if (memory.len > 0) _ = linux.munmap(memory.ptr, memory.len);
}
