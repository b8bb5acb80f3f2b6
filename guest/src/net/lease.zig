//! What a machine has to know to be on an IPv4 network, from wherever it is known.

const std = @import("std");

const interface = @import("interface.zig");
const Address = interface.Address;

pub const dns_max = 3; // What resolv.conf(5) reads.

pub const Lease = struct {
    address: Address,
    mask: Address,
    gateway: ?Address = null,
    dns: [dns_max]Address = undefined,
    dns_count: usize = 0,

    pub fn addDns(lease: *Lease, address: Address) void {
        if (lease.dns_count == dns_max) return;
        lease.dns[lease.dns_count] = address;
        lease.dns_count += 1;
    }
};

/// The kernel's `ip=` parameter (Documentation/admin-guide/nfs/nfsroot.rst):
/// client:server:gateway:mask:hostname:device:autoconf:dns0:dns1.
pub const IpParameter = struct {
    lease: ?Lease = null,
    hostname: []const u8 = "",
    device: []const u8 = "",
    /// No network at all is wanted.
    off: bool = false,

    pub fn parse(text: []const u8) error{Malformed}!IpParameter {
        if (std.mem.indexOfScalar(u8, text, ':') == null) {
            if (isAny(text, &.{ "off", "none" })) return .{ .off = true };
            if (isAny(text, &.{ "", "on", "any", "dhcp", "both" })) return .{};
        }
        var fields: [9][]const u8 = @splat("");
        var rest = std.mem.splitScalar(u8, text, ':');
        for (&fields) |*field| field.* = rest.next() orelse break;
        if (rest.next() != null) return error.Malformed;
        var parameter: IpParameter = .{ .hostname = fields[4], .device = fields[5] };
        if (fields[0].len == 0) return parameter;

        const address = try parseField(fields[0]) orelse return error.Malformed;
        var lease: Lease = .{
            .address = address,
            .mask = try parseField(fields[3]) orelse interface.defaultMask(address),
            .gateway = try parseField(fields[2]),
        };
        for (fields[7..9]) |field| if (try parseField(field)) |dns| lease.addDns(dns);
        parameter.lease = lease;
        return parameter;
    }
};

fn parseField(text: []const u8) error{Malformed}!?Address {
    if (text.len == 0) return null;
    return interface.parseAddress(text) orelse error.Malformed;
}

fn isAny(text: []const u8, words: []const []const u8) bool {
    for (words) |word| if (std.mem.eql(u8, text, word)) return true;
    return false;
}

const testing = std.testing;

test "what runtimes pass as ip=" {
    const smolvm = try IpParameter.parse("10.0.2.15::10.0.2.2:255.255.255.0::eth0:off");
    try testing.expectEqualStrings("eth0", smolvm.device);
    try testing.expectEqual(Address{ 10, 0, 2, 15 }, smolvm.lease.?.address);
    try testing.expectEqual(Address{ 10, 0, 2, 2 }, smolvm.lease.?.gateway.?);
    try testing.expectEqual(0, smolvm.lease.?.dns_count);

    const full = try IpParameter.parse("172.16.0.2::172.16.0.1::box:eth1:off:1.1.1.1:9.9.9.9");
    try testing.expectEqualStrings("box", full.hostname);
    try testing.expectEqual(Address{ 255, 255, 0, 0 }, full.lease.?.mask);
    try testing.expectEqual(2, full.lease.?.dns_count);

    try testing.expect((try IpParameter.parse("off")).off);
    try testing.expectEqual(null, (try IpParameter.parse("dhcp")).lease);
    try testing.expectEqualStrings("eth7", (try IpParameter.parse(":::::eth7:dhcp")).device);
    for ([_][]const u8{ "10.0.2", "x::y", "1.2.3.4::::::::::", "1.2.3.4:::255.0" }) |bad| {
        try testing.expectError(error.Malformed, IpParameter.parse(bad));
    }
}
