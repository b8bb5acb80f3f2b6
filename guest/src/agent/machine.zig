//! Requests about the machine as a whole.

const std = @import("std");
const linux = std.os.linux;

const answer = @import("answer.zig");
const Message = @import("../message.zig").Message;
const Outbox = @import("../frame.zig").Outbox;
const power = @import("../boot/power.zig");
const sys = @import("../sys.zig");

/// What init leaves here when the shared file system could not be mounted; its content is why.
const share_failure = "/run/sandboxfs.failed";

/// How long the last answer may take to reach the host.
const farewell_ms = 1000;

pub const Outcome = error{ WrongType, UnknownId }!void;

/// The first message of a connection: whether the file system that the host shares is there.
pub fn greet(outbox: *Outbox) void {
    var buffer: [256]u8 = undefined;
    const content = sys.readFile(share_failure, &buffer) catch "";
    const reason = std.mem.trim(u8, content, " \n");
    if (reason.len == 0 or !std.unicode.utf8ValidateSlice(reason)) {
        return outbox.finish(outbox.begin("vfs_ready", 0, 0));
    }
    var writer = outbox.begin("vfs_error", 0, 1);
    writer.text("message");
    writer.text(reason);
    outbox.finish(writer);
}

/// An extension of bootsmith: everything written so far reaches the disks before the answer.
pub fn sync(received: Message, outbox: *Outbox) Outcome {
    linux.sync();
    answer.done(outbox, received.id, "sync_done");
}

/// An extension of bootsmith: ends processes, writes the disks and turns the machine off, or
/// with `restart` on again.
pub fn shutDown(received: Message, outbox: *Outbox, port: sys.fd_t) Outcome {
    const restart = try received.body.flag("restart", false);
    answer.done(outbox, received.id, "shutdown_done");
    const deadline_ms = sys.nowMs() + farewell_ms;
    while (!outbox.isEmpty() and sys.nowMs() < deadline_ms) {
        outbox.flush(port) catch |failure| {
            if (failure != error.AGAIN) break;
            var fds = [_]linux.pollfd{.{ .fd = port, .events = linux.POLL.OUT, .revents = 0 }};
            _ = sys.poll(&fds, farewell_ms) catch break;
        };
    }
    power.request(if (restart) .restart else .power_off) catch |failure| {
        answer.fail(outbox, received.id, .invalid_request, failure);
    };
}
