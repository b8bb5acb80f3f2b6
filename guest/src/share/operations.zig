//! The kernel's requests as questions to the host, and the host's answers as replies.

const std = @import("std");

const abi = @import("fuse_abi.zig");
const attributes = @import("attributes.zig");
const cbor = @import("../cbor.zig");
const call = @import("call.zig");
const device_of = @import("device.zig");
const Device = device_of.Device;
const directory = @import("directory.zig");
const Request = device_of.Request;
const sys = @import("../sys.zig");

/// The largest piece that a host has to give at once.
const read_bytes_max = device_of.write_bytes_max;
/// What a host may copy while one request waits.
const copy_bytes_max = 16 << 20;

pub const FileSystem = struct {
    device: Device,
    host: call.Host,
    /// Owners, modes and times can be set: an extension of bootsmith that other hosts refuse.
    takes_attributes: bool = true,
};

/// Carries out one request and replies, if it is of the kind that wants a reply.
pub fn handle(system: *FileSystem, request: Request) void {
    dispatch(system, request) catch |failure| system.device.fail(request, failure);
}

fn dispatch(system: *FileSystem, request: Request) sys.Error!void {
    switch (request.header.opcode) {
        .init => try initialise(system, request),
        .lookup => try lookup(system, request),
        .getattr => try getAttributes(system, request),
        .setattr => try setAttributes(system, request),
        .readlink => try readLink(system, request),
        .symlink => try makeSymlink(system, request),
        .mkdir => try makeDirectory(system, request),
        .unlink => try remove(system, request, "unlink"),
        .rmdir => try remove(system, request, "rmdir"),
        .rename => {
            const in = try request.read(abi.RenameIn);
            try rename(system, request, in.new_parent, 0, @sizeOf(abi.RenameIn));
        },
        .rename2 => {
            const in = try request.read(abi.Rename2In);
            try rename(system, request, in.new_parent, in.flags, @sizeOf(abi.Rename2In));
        },
        .link => try makeLink(system, request),
        .open => try open(system, request),
        .create => try create(system, request),
        .read => try read(system, request),
        .write => try write(system, request),
        .release => try release(system, request),
        .statfs => try statistics(system, request),
        .access => try access(system, request),
        .fallocate => try allocate(system, request),
        .copy_file_range => try copyRange(system, request),
        .opendir => system.device.reply(request, abi.OpenOut{ .handle = 0 }),
        .readdir => try directory.list(system, request),
        .releasedir, .destroy => system.device.replyWith(request, 0),
        .forget, .batch_forget, .interrupt => {}, // These want no reply.
        .mknod, .tmpfile, .setxattr, .getxattr, .listxattr, .removexattr => return error.OPNOTSUPP,
        .ioctl => return error.NOTTY,
        // The kernel takes this for success where there is nothing to do (flush, fsync), does
        // the thing itself (lseek), or tells the program.
        else => return error.NOSYS,
    }
}

fn initialise(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.InitIn);
    if (in.major != abi.version_major) return error.PROTO;
    const wanted: u32 = abi.flag_atomic_truncate | abi.flag_big_writes | abi.flag_parallel_lookups;
    system.device.reply(request, abi.InitOut{
        .minor = @min(in.minor, abi.version_minor),
        .readahead_max = in.readahead_max,
        .flags = in.flags & wanted,
        .background_max = 16,
        .congestion_threshold = 12,
        .write_max = device_of.write_bytes_max,
        .time_granularity_ns = 1_000_000,
        .pages_max = 0,
    });
}

fn lookup(system: *FileSystem, request: Request) sys.Error!void {
    var names = request.names(0);
    var question = system.host.begin("lookup", 2);
    question.unsigned("parent_ino", request.header.node);
    try question.text("name", try names.next());
    const answer = try system.host.ask(question);
    if (answer.failedWith(error.NOENT)) {
        const absence = attributes.parseAbsence(answer.result orelse return error.NOENT) catch
            return error.NOENT;
        return system.device.reply(request, absence);
    }
    system.device.reply(request, try attributes.parseEntry(try answer.get()));
}

fn getAttributes(system: *FileSystem, request: Request) sys.Error!void {
    var question = system.host.begin("getattr", 1);
    question.unsigned("ino", request.header.node);
    const answer = try system.host.ask(question);
    system.device.reply(request, try attributes.parseAttributesOut(try answer.get()));
}

fn setAttributes(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.SetAttributesIn);
    if (in.valid.size) {
        var question = system.host.begin("truncate", 2);
        question.unsigned("ino", request.header.node);
        question.unsigned("size", in.size);
        try succeed(try system.host.ask(question));
    }
    if (system.takes_attributes) try setOthers(system, request, in);
    try getAttributes(system, request);
}

/// Owner, mode and times.  A host that knows nothing of these leaves them as they are, which
/// programs (cp, tar, touch) can live with better than with a failure.
fn setOthers(system: *FileSystem, request: Request, in: abi.SetAttributesIn) sys.Error!void {
    const valid = in.valid;
    const fields = [_]bool{ valid.mode, valid.uid, valid.gid, valid.atime, valid.mtime };
    const count = std.mem.count(bool, &fields, &.{true});
    if (count == 0) return;
    var question = system.host.begin("setattr", 1 + count);
    question.unsigned("ino", request.header.node);
    if (valid.mode) question.unsigned("mode", in.mode & 0o7777);
    if (valid.uid) question.unsigned("uid", in.uid);
    if (valid.gid) question.unsigned("gid", in.gid);
    if (valid.atime) question.signed("atime_ms", milliseconds(in.atime, in.atime_ns));
    if (valid.mtime) question.signed("mtime_ms", milliseconds(in.mtime, in.mtime_ns));
    const answer = try system.host.ask(question);
    if (answer.failedWith(error.NOSYS)) {
        system.takes_attributes = false;
    } else try succeed(answer);
}

fn milliseconds(seconds: u64, nanoseconds: u32) i64 {
    return @as(i64, @bitCast(seconds)) *| 1000 +| nanoseconds / 1_000_000;
}

fn readLink(system: *FileSystem, request: Request) sys.Error!void {
    var question = system.host.begin("readlink", 1);
    question.unsigned("ino", request.header.node);
    const result = try (try system.host.ask(question)).get();
    const item = attributes.get(result, "target") orelse return error.IO;
    const target = item.word() catch return error.IO;
    if (target.len == 0 or target.len >= sys.path_bytes_max) return error.IO;
    @memcpy(Device.replyBody()[0..target.len], target);
    system.device.replyWith(request, target.len);
}

fn makeSymlink(system: *FileSystem, request: Request) sys.Error!void {
    var names = request.names(0);
    var question = system.host.begin("symlink", 3);
    question.unsigned("parent_ino", request.header.node);
    try question.text("name", try names.next());
    try question.text("target", try names.next());
    const answer = try system.host.ask(question);
    system.device.reply(request, try attributes.parseEntry(try answer.get()));
}

fn makeDirectory(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.MkdirIn);
    var names = request.names(@sizeOf(abi.MkdirIn));
    var question = system.host.begin("mkdir", 3);
    question.unsigned("parent_ino", request.header.node);
    try question.text("name", try names.next());
    question.unsigned("mode", in.mode & 0o7777);
    const answer = try system.host.ask(question);
    system.device.reply(request, try attributes.parseEntry(try answer.get()));
}

fn remove(system: *FileSystem, request: Request, op: []const u8) sys.Error!void {
    var names = request.names(0);
    var question = system.host.begin(op, 2);
    question.unsigned("parent_ino", request.header.node);
    try question.text("name", try names.next());
    try succeed(try system.host.ask(question));
    system.device.replyWith(request, 0);
}

fn rename(
    system: *FileSystem,
    request: Request,
    new_parent: u64,
    flags: u32,
    size: usize,
) sys.Error!void {
    var names = request.names(size);
    var question = system.host.begin("rename", 5);
    question.unsigned("old_parent_ino", request.header.node);
    try question.text("old_name", try names.next());
    question.unsigned("new_parent_ino", new_parent);
    try question.text("new_name", try names.next());
    question.unsigned("flags", flags);
    try succeed(try system.host.ask(question));
    system.device.replyWith(request, 0);
}

fn makeLink(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.LinkIn);
    var names = request.names(@sizeOf(abi.LinkIn));
    var question = system.host.begin("link", 3);
    question.unsigned("old_ino", in.node);
    question.unsigned("new_parent_ino", request.header.node);
    try question.text("new_name", try names.next());
    const answer = try system.host.ask(question);
    system.device.reply(request, try attributes.parseEntry(try answer.get()));
}

fn open(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.OpenIn);
    var question = system.host.begin("open", 2);
    question.unsigned("ino", request.header.node);
    question.unsigned("flags", in.flags);
    const result = try (try system.host.ask(question)).get();
    system.device.reply(request, try parseOpen(result));
}

fn create(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.CreateIn);
    var names = request.names(@sizeOf(abi.CreateIn));
    var question = system.host.begin("create", 4);
    question.unsigned("parent_ino", request.header.node);
    try question.text("name", try names.next());
    question.unsigned("mode", in.mode & 0o7777);
    question.unsigned("flags", in.flags);
    const result = try (try system.host.ask(question)).get();
    system.device.reply(request, abi.CreateOut{
        .entry = try attributes.parseEntry(result),
        .open = try parseOpen(result),
    });
}

fn parseOpen(result: cbor.Item) sys.Error!abi.OpenOut {
    return .{
        .handle = try attributes.field(u64, result, "fh"),
        .flags = try attributes.field(u32, result, "open_flags"),
    };
}

/// Reads until the kernel has what it asked for: less would mean the end of the file.
fn read(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.ReadIn);
    const buffer = Device.replyBody();
    const wanted = @min(in.size, buffer.len);
    var size: usize = 0;
    while (size < wanted) {
        const piece = @min(wanted - size, read_bytes_max);
        var question = system.host.begin("read", 3);
        question.unsigned("fh", in.handle);
        question.unsigned("offset", in.offset +| size);
        question.unsigned("size", piece);
        const result = try (try system.host.ask(question)).get();
        const item = attributes.get(result, "data") orelse return error.IO;
        const data = item.bytes() catch return error.IO;
        if (data.len > piece) return error.IO;
        @memcpy(buffer[size..][0..data.len], data);
        size += data.len;
        if (data.len < piece) break;
    }
    system.device.replyWith(request, size);
}

fn write(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.WriteIn);
    const data = request.body[@sizeOf(abi.WriteIn)..];
    if (data.len != in.size) return error.INVAL;
    var question = system.host.begin("write", 3);
    question.unsigned("fh", in.handle);
    question.unsigned("offset", in.offset);
    question.bytes("data", data);
    const result = try (try system.host.ask(question)).get();
    const size = try attributes.field(u32, result, "size");
    if (size > in.size) return error.IO;
    system.device.reply(request, abi.WriteOut{ .size = size });
}

fn release(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.ReleaseIn);
    var question = system.host.begin("release", 1);
    question.unsigned("fh", in.handle);
    try succeed(try system.host.ask(question));
    system.device.replyWith(request, 0);
}

fn statistics(system: *FileSystem, request: Request) sys.Error!void {
    var question = system.host.begin("statfs", 1);
    question.unsigned("ino", request.header.node);
    const answer = try system.host.ask(question);
    system.device.reply(request, try attributes.parseStatfs(try answer.get()));
}

fn access(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.AccessIn);
    var question = system.host.begin("access", 4);
    question.unsigned("ino", request.header.node);
    question.unsigned("mask", in.mask);
    question.unsigned("uid", request.header.uid);
    question.unsigned("gid", request.header.gid);
    try succeed(try system.host.ask(question));
    system.device.replyWith(request, 0);
}

fn allocate(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.FallocateIn);
    var question = system.host.begin("fallocate", 4);
    question.unsigned("fh", in.handle);
    question.unsigned("offset", in.offset);
    question.unsigned("length", in.length);
    question.unsigned("mode", in.mode);
    try succeed(try system.host.ask(question));
    system.device.replyWith(request, 0);
}

fn copyRange(system: *FileSystem, request: Request) sys.Error!void {
    const in = try request.read(abi.CopyIn);
    var question = system.host.begin("copy_file_range", 6);
    question.unsigned("fh_in", in.handle_in);
    question.unsigned("off_in", in.offset_in);
    question.unsigned("fh_out", in.handle_out);
    question.unsigned("off_out", in.offset_out);
    question.unsigned("len", @min(in.length, copy_bytes_max));
    question.unsigned("flags", in.flags);
    const result = try (try system.host.ask(question)).get();
    const size = try attributes.field(u32, result, "size");
    if (size > in.length) return error.IO;
    system.device.reply(request, abi.WriteOut{ .size = size });
}

fn succeed(answer: call.Answer) sys.Error!void {
    if (answer.failure) |failure| return failure;
}
