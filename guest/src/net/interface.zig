//! Configuring an IPv4 interface with the ioctls of netdevice(7), which need no tool and work
//! on every kernel.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const console = @import("../console.zig");
const sys = @import("../sys.zig");

pub const name_bytes_max = linux.IFNAMESIZE - 1;

/// An IPv4 address as the four bytes that people write.
pub const Address = [4]u8;

const SIOCADDRT = 0x890b;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFADDR = 0x8916;
const SIOCSIFNETMASK = 0x891c;
const SIOCGIFHWADDR = 0x8927;

const IFF_UP = 1;
const RTF_UP = 1;
const RTF_GATEWAY = 2;

/// struct ifreq, with the members of its union that are used here.
const Request = extern struct {
    name: [linux.IFNAMESIZE]u8,
    value: extern union {
        address: linux.sockaddr.in,
        hardware: Hardware,
        flags: i16,
        room: [24]u8,
    },

    comptime {
        assert(@sizeOf(Request) == 40);
    }
};

const Hardware = extern struct { family: u16, address: [6]u8 };

/// struct rtentry.
const Route = extern struct {
    pad1: usize = 0,
    destination: linux.sockaddr.in,
    gateway: linux.sockaddr.in,
    mask: linux.sockaddr.in,
    flags: u16,
    pad2: i16 = 0,
    pad3: usize = 0,
    pad4: usize = 0,
    metric: i16 = 0,
    device: ?[*:0]u8,
    mtu: usize = 0,
    window: usize = 0,
    round_trip_time: u16 = 0,

    comptime {
        assert(@sizeOf(Route) == 120);
        assert(@offsetOf(Route, "device") == 88);
    }
};

pub const Interface = struct {
    socket: sys.fd_t,
    name: [linux.IFNAMESIZE]u8 = @splat(0),

    /// The interface `name`.  Fails with `error.NODEV` when there is none of that name.
    pub fn open(name: []const u8) sys.Error!Interface {
        if (name.len == 0 or name.len > name_bytes_max) return error.NODEV;
        const kind = linux.SOCK.DGRAM | linux.SOCK.CLOEXEC;
        const socket = try sys.check(linux.socket(linux.AF.INET, kind, 0));
        var interface: Interface = .{ .socket = @intCast(socket) };
        errdefer interface.close();
        @memcpy(interface.name[0..name.len], name);
        _ = try interface.flags();
        return interface;
    }

    pub fn close(interface: Interface) void {
        sys.close(interface.socket);
    }

    pub fn bringUp(interface: Interface) sys.Error!void {
        var request = interface.requestWith(.{ .flags = try interface.flags() | IFF_UP });
        try interface.control(SIOCSIFFLAGS, &request);
    }

    pub fn hardwareAddress(interface: Interface) sys.Error![6]u8 {
        var request = interface.requestWith(.{ .room = @splat(0) });
        try interface.control(SIOCGIFHWADDR, &request);
        return request.value.hardware.address;
    }

    /// Sets address and mask; the kernel adds the route to the interface's own network.
    pub fn setAddress(interface: Interface, address: Address, mask: Address) sys.Error!void {
        var request = interface.requestWith(.{ .address = socketAddress(address) });
        try interface.control(SIOCSIFADDR, &request);
        request = interface.requestWith(.{ .address = socketAddress(mask) });
        try interface.control(SIOCSIFNETMASK, &request);
    }

    /// Sends what is for other networks to `gateway`.
    pub fn setGateway(interface: *Interface, gateway: Address) sys.Error!void {
        const route: Route = .{
            .destination = socketAddress(@splat(0)),
            .gateway = socketAddress(gateway),
            .mask = socketAddress(@splat(0)),
            .flags = RTF_UP | RTF_GATEWAY,
            .device = @ptrCast(&interface.name),
        };
        const result = linux.ioctl(interface.socket, SIOCADDRT, @intFromPtr(&route));
        _ = sys.check(result) catch |failure| {
            if (failure != error.EXIST) return failure;
        };
    }

    fn flags(interface: Interface) sys.Error!i16 {
        var request = interface.requestWith(.{ .flags = 0 });
        try interface.control(SIOCGIFFLAGS, &request);
        return request.value.flags;
    }

    fn requestWith(interface: Interface, value: @FieldType(Request, "value")) Request {
        return .{ .name = interface.name, .value = value };
    }

    fn control(interface: Interface, number: u32, request: *Request) sys.Error!void {
        _ = try sys.check(linux.ioctl(interface.socket, number, @intFromPtr(request)));
    }
};

pub fn socketAddress(address: Address) linux.sockaddr.in {
    return .{ .port = 0, .addr = @bitCast(address) };
}

/// `text` as an address; null when it is none.
pub fn parseAddress(text: []const u8) ?Address {
    var address: Address = undefined;
    var parts = std.mem.splitScalar(u8, text, '.');
    for (&address) |*byte| {
        byte.* = std.fmt.parseUnsigned(u8, parts.next() orelse return null, 10) catch return null;
    }
    return if (parts.next() == null) address else null;
}

/// `address` as people write it.
pub fn formatAddress(buffer: *[15]u8, address: Address) []const u8 {
    var size: usize = 0;
    for (address, 0..) |byte, index| {
        var digits: [20]u8 = undefined;
        const parts = [_][]const u8{ if (index == 0) "" else ".", console.decimal(&digits, byte) };
        for (parts) |part| {
            @memcpy(buffer[size..][0..part.len], part);
            size += part.len;
        }
    }
    return buffer[0..size];
}

/// The mask that goes with an address when nobody names one (its class, as the kernel does).
pub fn defaultMask(address: Address) Address {
    return switch (address[0]) {
        0...127 => .{ 255, 0, 0, 0 },
        128...191 => .{ 255, 255, 0, 0 },
        else => .{ 255, 255, 255, 0 },
    };
}

test "addresses" {
    try std.testing.expectEqual(Address{ 10, 0, 2, 15 }, parseAddress("10.0.2.15").?);
    for ([_][]const u8{ "", "10.0.2", "10.0.2.15.1", "10.0.2.256", "10.0.2.", "10.0.2.x" }) |bad| {
        try std.testing.expectEqual(null, parseAddress(bad));
    }
    var buffer: [15]u8 = undefined;
    try std.testing.expectEqualStrings("255.255.255.255", formatAddress(&buffer, @splat(255)));
}
