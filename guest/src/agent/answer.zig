//! The short messages that end a request.

const Outbox = @import("../frame.zig").Outbox;
const sys = @import("../sys.zig");

/// The codes of `error` messages.
pub const ErrorCode = enum {
    invalid_request,
    exec_failed,
    unknown_id,
    stdin_backpressure,
    stdin_chunk_too_large,
    file_read_failed,
    file_write_failed,
    file_delete_failed,
};

/// Says that the request `id` cannot be carried out.
pub noinline fn refuse(outbox: *Outbox, id: u32, code: ErrorCode, reason: []const u8) void {
    var writer = outbox.begin("error", id, 2);
    writer.text("code");
    writer.text(@tagName(code));
    writer.text("message");
    writer.text(reason);
    outbox.finish(writer);
}

pub fn fail(outbox: *Outbox, id: u32, code: ErrorCode, failure: sys.Error) void {
    refuse(outbox, id, code, sys.describe(failure));
}

/// Says that the request `id` has been carried out.
pub fn done(outbox: *Outbox, id: u32, kind: []const u8) void {
    outbox.finish(outbox.begin(kind, id, 0));
}
