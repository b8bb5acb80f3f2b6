//! The file requests under way: files on their way to the host, files on their way from it,
//! and trees being deleted.  Every turn of the loop does a piece of each, so that none of them
//! holds up the commands.

const std = @import("std");
const linux = std.os.linux;

const answer = @import("answer.zig");
const file_path = @import("file_path.zig");
const frame = @import("../frame.zig");
const Message = @import("../message.zig").Message;
const Outbox = frame.Outbox;
const Removal = @import("../removal.zig").Removal;
const sys = @import("../sys.zig");

/// How many files may be on their way at once, in each direction.
const files_max = 64;

const chunk_bytes_min = 1 << 10;
const chunk_bytes_default = 64 << 10;
const chunk_bytes_max = Outbox.data_bytes_max;

/// How many entries of a tree go before commands have their turn again.
const entries_a_turn = 64;
/// How many deletions of trees may wait; one is under way.
const deletions_max = 16;

const Read = struct { id: u32, fd: sys.fd_t, chunk_bytes: u32 };
const Write = struct { id: u32, fd: sys.fd_t };
const Deletion = struct { id: u32, path: sys.PathBuffer };

pub const Outcome = error{ WrongType, UnknownId }!void;

/// The tree that is being deleted: that of the oldest deletion.
var removal: Removal = undefined;
/// Where a file's content rests between its file and its message.
var scratch: [chunk_bytes_max]u8 = undefined;

pub const FileTable = struct {
    reads: [files_max]?Read = @splat(null),
    writes: [files_max]?Write = @splat(null),
    /// In the order they came.
    deletions: [deletions_max]Deletion = undefined,
    deletion_count: usize = 0,
    removing: bool = false,

    /// How long the loop may wait: not at all while there is something to do here.
    pub fn awaitEvents(table: *const FileTable, set: anytype, outbox: *const Outbox) void {
        if (table.deletion_count > 0) set.limit(0);
        for (table.reads) |slot| {
            const read = slot orelse continue;
            if (outbox.hasRoomFor(read.chunk_bytes)) set.limit(0);
        }
    }

    /// Does the next piece of everything.
    pub fn advance(table: *FileTable, outbox: *Outbox) void {
        for (&table.reads) |*slot| if (slot.*) |read| {
            if (!outbox.hasRoomFor(read.chunk_bytes)) continue;
            if (passOn(read, outbox)) continue;
            sys.close(read.fd);
            slot.* = null;
        };
        if (table.deletion_count > 0 and outbox.hasRoomForAnswer()) table.advanceDeletion(outbox);
    }

    pub fn releaseAll(table: *FileTable) void {
        for (&table.reads) |*slot| {
            if (slot.*) |read| sys.close(read.fd);
            slot.* = null;
        }
        for (&table.writes) |*slot| {
            if (slot.*) |write| sys.close(write.fd);
            slot.* = null;
        }
        if (table.removing) removal.end();
        table.removing = false;
        table.deletion_count = 0;
    }

    pub fn startRead(table: *FileTable, received: Message, outbox: *Outbox) Outcome {
        const asked = try received.body.amount("chunk_size");
        const chunk_bytes = if (asked == 0) chunk_bytes_default else asked;
        const code: answer.ErrorCode = .file_read_failed;
        const slot = vacant(Read, &table.reads, received.id) catch |reason| {
            return answer.refuse(outbox, received.id, code, @errorName(reason));
        };
        // Without NONBLOCK a named pipe nobody writes to would stop the agent.
        const fd = open(received, .{ .NONBLOCK = true, .NOCTTY = true }) catch |failure| {
            return refuseFile(outbox, received.id, code, failure);
        };
        slot.* = .{
            .id = received.id,
            .fd = fd,
            .chunk_bytes = @intCast(std.math.clamp(chunk_bytes, chunk_bytes_min, chunk_bytes_max)),
        };
    }

    pub fn startWrite(table: *FileTable, received: Message, outbox: *Outbox) Outcome {
        const truncate = try received.body.flag("truncate", true);
        const append = try received.body.flag("append", false);
        const code: answer.ErrorCode = .file_write_failed;
        const slot = vacant(Write, &table.writes, received.id) catch |reason| {
            return answer.refuse(outbox, received.id, code, @errorName(reason));
        };
        const fd = open(received, .{
            .ACCMODE = .WRONLY,
            .CREAT = true,
            .TRUNC = truncate and !append,
            .APPEND = append,
            .NONBLOCK = true,
            .NOCTTY = true,
        }) catch |failure| return refuseFile(outbox, received.id, code, failure);
        slot.* = .{ .id = received.id, .fd = fd };
    }

    pub fn receiveContent(table: *FileTable, received: Message, outbox: *Outbox) Outcome {
        const data = try received.body.content("data");
        const last = try received.body.flag("eof", false);
        const slot = find(Write, &table.writes, received.id) orelse return error.UnknownId;
        const fd = slot.*.?.fd;
        const outcome = sys.writeAll(fd, data);
        if (outcome) |_| {
            if (!last) return;
            answer.done(outbox, received.id, "file_write_done");
        } else |failure| answer.fail(outbox, received.id, .file_write_failed, failure);
        sys.close(fd);
        slot.* = null;
    }

    pub fn delete(table: *FileTable, received: Message, outbox: *Outbox) Outcome {
        const force = try received.body.flag("force", false);
        const recursive = try received.body.flag("recursive", false);
        const code: answer.ErrorCode = .file_delete_failed;
        var buffer: sys.PathBuffer = undefined;
        const named = file_path.read(received.body, &buffer) catch |failure| {
            return refuseFile(outbox, received.id, code, failure);
        };
        const path = file_path.deletable(@constCast(named)) orelse {
            return answer.refuse(outbox, received.id, code, "refusing to delete this directory");
        };
        sys.unlink(linux.AT.FDCWD, path, 0) catch |failure| {
            if (failure == error.ISDIR and recursive) return table.queue(received.id, path, outbox);
            const is_gone = failure == error.NOENT and force;
            if (!is_gone) return answer.fail(outbox, received.id, code, failure);
        };
        answer.done(outbox, received.id, "file_delete_done");
    }

    fn queue(table: *FileTable, id: u32, path: [:0]const u8, outbox: *Outbox) void {
        if (table.deletion_count == deletions_max) {
            return answer.fail(outbox, id, .file_delete_failed, error.BUSY);
        }
        const deletion = &table.deletions[table.deletion_count];
        deletion.id = id;
        @memcpy(deletion.path[0 .. path.len + 1], path[0 .. path.len + 1]);
        table.deletion_count += 1;
    }

    fn advanceDeletion(table: *FileTable, outbox: *Outbox) void {
        const deletion = &table.deletions[0];
        const outcome = table.removeSome(@ptrCast(&deletion.path));
        if (outcome) |finished| {
            if (!finished) return;
            answer.done(outbox, deletion.id, "file_delete_done");
        } else |failure| answer.fail(outbox, deletion.id, .file_delete_failed, failure);
        table.removing = false;
        table.deletion_count -= 1;
        const waiting = table.deletions[1..][0..table.deletion_count];
        std.mem.copyForwards(Deletion, table.deletions[0..waiting.len], waiting);
    }

    /// Removes a few entries of the directory `path`, at last that itself, which is told.
    fn removeSome(table: *FileTable, path: [*:0]const u8) sys.Error!bool {
        if (!table.removing) {
            const top = try sys.open(path, .{ .DIRECTORY = true, .NOFOLLOW = true }, 0);
            defer sys.close(top);
            try removal.begin(top, .{});
            table.removing = true;
        }
        if (!try removal.advance(entries_a_turn)) return false;
        try sys.unlink(linux.AT.FDCWD, path, linux.AT.REMOVEDIR);
        return true;
    }
};

fn open(received: Message, flags: linux.O) file_path.Failure!sys.fd_t {
    var buffer: sys.PathBuffer = undefined;
    return sys.open(try file_path.read(received.body, &buffer), flags, 0o644);
}

/// Sends the next piece of a file.  False: it has ended, or failed, and the host knows.
fn passOn(read: Read, outbox: *Outbox) bool {
    const size = sys.read(read.fd, scratch[0..read.chunk_bytes]) catch |failure| {
        answer.fail(outbox, read.id, .file_read_failed, failure);
        return false;
    };
    if (size == 0) {
        answer.done(outbox, read.id, "file_read_done");
        return false;
    }
    var writer = outbox.begin("file_read_data", read.id, 1);
    writer.text("data");
    writer.bytes(scratch[0..size]);
    outbox.finish(writer);
    return true;
}

fn refuseFile(
    outbox: *Outbox,
    id: u32,
    code: answer.ErrorCode,
    failure: file_path.Failure,
) error{WrongType}!void {
    switch (failure) {
        error.WrongType => return error.WrongType,
        else => |cause| answer.fail(outbox, id, code, @errorCast(cause)),
    }
}

const Full = error{ @"too many files at once", @"this id is in use" };

fn vacant(comptime Item: type, slots: []?Item, id: u32) Full!*?Item {
    if (find(Item, slots, id) != null) return error.@"this id is in use";
    for (slots) |*slot| if (slot.* == null) return slot;
    return error.@"too many files at once";
}

fn find(comptime Item: type, slots: []?Item, id: u32) ?*?Item {
    for (slots) |*slot| if (slot.*) |item| {
        if (item.id == id) return slot;
    };
    return null;
}
