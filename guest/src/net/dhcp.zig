//! A DHCP client (RFC 2131, RFC 2132): discover, offer, request, acknowledge, once.
//!
//! A machine of this kind lives for less than a lease; nothing is renewed.  It talks through
//! an ordinary UDP socket bound to the interface, which works before there is an address and
//! needs no packet sockets, a module on some kernels.

const std = @import("std");
const linux = std.os.linux;
const assert = std.debug.assert;

const interface = @import("interface.zig");
const Address = interface.Address;
const Lease = @import("lease.zig").Lease;
const sys = @import("../sys.zig");

const server_port = 67;
const client_port = 68;
const grnd_nonblock = 1; // Early in a boot there may be no randomness yet to wait for.
const magic_cookie = [4]u8{ 99, 130, 83, 99 };

const MessageType = enum(u8) {
    discover = 1,
    offer = 2,
    request = 3,
    acknowledge = 5,
    refuse = 6,
    _,
};

const Option = enum(u8) {
    pad = 0,
    subnet_mask = 1,
    router = 3,
    dns = 6,
    requested_address = 50,
    message_type = 53,
    server = 54,
    wanted = 55,
    end = 255,
    _,
};

/// The fixed part of a message, RFC 2131 figure 1.
const Header = extern struct {
    operation: u8 align(1),
    hardware_type: u8 align(1) = 1, // Ethernet
    hardware_length: u8 align(1) = 6,
    hops: u8 align(1) = 0,
    transaction: [4]u8 align(1),
    seconds: [2]u8 align(1) = @splat(0),
    flags: [2]u8 align(1) = .{ 0x80, 0 }, // Answer by broadcast: we have no address yet.
    client: Address align(1) = @splat(0),
    offered: Address align(1) = @splat(0),
    next_server: Address align(1) = @splat(0),
    relay: Address align(1) = @splat(0),
    hardware: [16]u8 align(1),
    server_name: [64]u8 align(1) = @splat(0),
    file: [128]u8 align(1) = @splat(0),
    cookie: [4]u8 align(1) = magic_cookie,

    const operation_request = 1;
    const operation_reply = 2;

    comptime {
        assert(@sizeOf(Header) == 240);
    }
};

/// The smallest message that every server takes.
const message_bytes_min = 300;
const message_bytes_max = 1500;

/// How long to wait for an answer, try by try.  Who waits for the network waits for the first
/// few; a server that is slower finds somebody asking in the background.
pub const patience_short_ms = [_]u32{ 100, 200, 400 };
pub const patience_long_ms = [_]u32{ 1000, 2000, 4000, 8000, 16_000, 32_000 };

/// Asks for a lease on `device`, which must be up.  `error.TIMEDOUT` when nobody answers.
pub fn obtain(device: interface.Interface, patience_ms: []const u32) sys.Error!Lease {
    const socket = try openSocket(&device.name);
    defer sys.close(socket);
    var exchange: Exchange = .{
        .socket = socket,
        .hardware = try device.hardwareAddress(),
        .transaction = undefined,
    };
    _ = try sys.check(linux.getrandom(&exchange.transaction, 4, grnd_nonblock));
    for (patience_ms) |wait_ms| {
        const deadline_ms = sys.nowMs() + wait_ms;
        return exchange.attempt(deadline_ms) catch |failure| switch (failure) {
            error.TIMEDOUT => continue,
            error.NETUNREACH, error.NETDOWN => { // A link that has only just come up.
                sys.sleepMs(@intCast(deadline_ms -| sys.nowMs()));
                continue;
            },
            else => failure,
        };
    }
    return error.TIMEDOUT;
}

const Exchange = struct {
    socket: sys.fd_t,
    hardware: [6]u8,
    transaction: [4]u8,

    fn attempt(exchange: Exchange, deadline_ms: u64) sys.Error!Lease {
        try exchange.send(.discover, null);
        const offer = try exchange.await(.offer, deadline_ms);
        try exchange.send(.request, offer);
        const answer = try exchange.await(.acknowledge, deadline_ms);
        return answer.lease;
    }

    fn send(exchange: Exchange, kind: MessageType, offer: ?Reply) sys.Error!void {
        var buffer: [message_bytes_min]u8 = @splat(0);
        var header: Header = .{
            .operation = Header.operation_request,
            .transaction = exchange.transaction,
            .hardware = @splat(0),
        };
        @memcpy(header.hardware[0..6], &exchange.hardware);
        @memcpy(buffer[0..@sizeOf(Header)], std.mem.asBytes(&header));
        var options: OptionWriter = .{ .buffer = buffer[@sizeOf(Header)..] };
        options.put(.message_type, &.{@intFromEnum(kind)});
        if (offer) |reply| {
            options.put(.requested_address, &reply.lease.address);
            options.put(.server, &reply.server);
        }
        const wanted = [_]Option{ .subnet_mask, .router, .dns };
        options.put(.wanted, std.mem.sliceAsBytes(&wanted));
        options.buffer[options.size] = @intFromEnum(Option.end);

        var target = interface.socketAddress(@splat(255));
        target.port = std.mem.nativeToBig(u16, server_port);
        _ = try sys.check(linux.sendto(
            exchange.socket,
            &buffer,
            buffer.len,
            0,
            @ptrCast(&target),
            @sizeOf(linux.sockaddr.in),
        ));
    }

    fn await(exchange: Exchange, wanted: MessageType, deadline_ms: u64) sys.Error!Reply {
        var buffer: [message_bytes_max]u8 = undefined;
        while (true) {
            const left_ms = deadline_ms -| sys.nowMs();
            if (left_ms == 0) return error.TIMEDOUT;
            var fds = [_]linux.pollfd{
                .{ .fd = exchange.socket, .events = linux.POLL.IN, .revents = 0 },
            };
            if (try sys.poll(&fds, @intCast(left_ms)) == 0) continue;
            const size = sys.read(exchange.socket, &buffer) catch |failure| {
                if (failure == error.AGAIN) continue;
                return failure;
            };
            const reply = parseReply(buffer[0..size], exchange.transaction) orelse continue;
            if (reply.kind == wanted) return reply;
            if (reply.kind == .refuse) return error.TIMEDOUT; // Ask again from the start.
        }
    }
};

const OptionWriter = struct {
    buffer: []u8,
    size: usize = 0,

    fn put(options: *OptionWriter, option: Option, content: []const u8) void {
        const target = options.buffer[options.size..];
        target[0] = @intFromEnum(option);
        target[1] = @intCast(content.len);
        @memcpy(target[2..][0..content.len], content);
        options.size += 2 + content.len;
    }
};

const Reply = struct {
    kind: MessageType,
    lease: Lease,
    server: Address = @splat(0),
};

/// The reply in a datagram; null when it is not for us or makes no sense.
fn parseReply(datagram: []const u8, transaction: [4]u8) ?Reply {
    if (datagram.len < @sizeOf(Header)) return null;
    const header: *const Header = @ptrCast(datagram.ptr);
    if (header.operation != Header.operation_reply) return null;
    if (!std.mem.eql(u8, &header.transaction, &transaction)) return null;
    if (!std.mem.eql(u8, &header.cookie, &magic_cookie)) return null;

    const mask = interface.defaultMask(header.offered);
    var reply: Reply = .{
        .kind = @enumFromInt(0),
        .lease = .{ .address = header.offered, .mask = mask },
    };
    var rest = datagram[@sizeOf(Header)..];
    while (rest.len > 0) {
        const option: Option = @enumFromInt(rest[0]);
        if (option == .end) break;
        if (option == .pad) {
            rest = rest[1..];
            continue;
        }
        if (rest.len < 2 or rest.len < 2 + @as(usize, rest[1])) return null;
        const content = rest[2..][0..rest[1]];
        rest = rest[2 + content.len ..];
        switch (option) {
            .message_type => if (content.len == 1) {
                reply.kind = @enumFromInt(content[0]);
            },
            .subnet_mask => reply.lease.mask = firstAddress(content) orelse return null,
            .router => reply.lease.gateway = firstAddress(content) orelse return null,
            .server => reply.server = firstAddress(content) orelse return null,
            .dns => {
                var addresses = std.mem.window(u8, content, 4, 4);
                while (addresses.next()) |address| {
                    reply.lease.addDns(firstAddress(address) orelse continue);
                }
            },
            else => {},
        }
    }
    return reply;
}

fn firstAddress(content: []const u8) ?Address {
    return if (content.len >= 4) content[0..4].* else null;
}

fn openSocket(device: []const u8) sys.Error!sys.fd_t {
    const kind = linux.SOCK.DGRAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK;
    const socket: sys.fd_t = @intCast(try sys.check(linux.socket(linux.AF.INET, kind, 0)));
    errdefer sys.close(socket);
    const on: c_int = 1;
    for ([_]u32{ linux.SO.BROADCAST, linux.SO.REUSEADDR }) |option| {
        const result = linux.setsockopt(socket, linux.SOL.SOCKET, option, std.mem.asBytes(&on), 4);
        _ = try sys.check(result);
    }
    _ = try sys.check(linux.setsockopt(
        socket,
        linux.SOL.SOCKET,
        linux.SO.BINDTODEVICE,
        device.ptr,
        @intCast(device.len),
    ));
    var here = interface.socketAddress(@splat(0));
    here.port = std.mem.nativeToBig(u16, client_port);
    _ = try sys.check(linux.bind(socket, @ptrCast(&here), @sizeOf(linux.sockaddr.in)));
    return socket;
}

const testing = std.testing;

fn replyWith(options: []const u8) [message_bytes_min]u8 {
    var datagram: [message_bytes_min]u8 = @splat(0);
    const header: Header = .{
        .operation = Header.operation_reply,
        .transaction = "abcd".*,
        .offered = .{ 10, 0, 2, 15 },
        .hardware = @splat(0),
    };
    @memcpy(datagram[0..@sizeOf(Header)], std.mem.asBytes(&header));
    @memcpy(datagram[@sizeOf(Header)..][0..options.len], options);
    return datagram;
}

test "an offer as QEMU's user network sends it" {
    const datagram = replyWith("\x35\x01\x02\x36\x04\x0a\x00\x02\x02\x01\x04\xff\xff\xff\x00" ++
        "\x03\x04\x0a\x00\x02\x02\x06\x04\x0a\x00\x02\x03\x33\x04\x00\x01\x51\x80\xff");
    const reply = parseReply(&datagram, "abcd".*).?;
    try testing.expectEqual(.offer, reply.kind);
    try testing.expectEqual(Address{ 10, 0, 2, 15 }, reply.lease.address);
    try testing.expectEqual(Address{ 255, 255, 255, 0 }, reply.lease.mask);
    try testing.expectEqual(Address{ 10, 0, 2, 2 }, reply.lease.gateway.?);
    try testing.expectEqual(Address{ 10, 0, 2, 3 }, reply.lease.dns[0]);
    try testing.expectEqual(null, parseReply(&datagram, "abce".*));
}

test "replies that make no sense" {
    const short_mask = replyWith("\x01\x03\xff\xff\xff\xff");
    try testing.expectEqual(null, parseReply(&short_mask, "abcd".*));
    const cut = replyWith("\x35\x01\x02\x0c\xf0");
    try testing.expectEqual(null, parseReply(&cut, "abcd".*));
    try testing.expectEqual(null, parseReply(cut[0..100], "abcd".*));

    var random = std.Random.DefaultPrng.init(68);
    for (0..50_000) |_| {
        var datagram = replyWith("");
        random.random().bytes(datagram[@sizeOf(Header)..]);
        const size = random.random().intRangeAtMost(usize, 0, datagram.len);
        _ = parseReply(datagram[0..size], "abcd".*);
    }
}
