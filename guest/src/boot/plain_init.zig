//! `/init` of a root file system that has no shell: what guest/init/rootfs-init.sh does, without
//! the scripts that only a shell can run.

const std = @import("std");
const linux = std.os.linux;

const console = @import("../console.zig");
const Environment = @import("environment.zig").Environment;
const setup = @import("setup.zig");
const supervise = @import("supervise.zig");
const sys = @import("../sys.zig");

const host_authority = "/etc/gondolin/mitm/ca.crt";
const bundle_folder = "/run/bootsmith";
const bundle = bundle_folder ++ "/ca-certificates.crt";
const system_bundles = [_][:0]const u8{
    "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt",
};
const bundle_variables = [_][:0]const u8{
    "SSL_CERT_FILE=" ++ bundle,
    "CURL_CA_BUNDLE=" ++ bundle,
    "REQUESTS_CA_BUNDLE=" ++ bundle,
    "NODE_EXTRA_CA_CERTS=" ++ host_authority,
};

const services = [_][:0]const u8{
    "/usr/bin/sandboxd",
    "/usr/bin/sandboxssh",
    "/usr/bin/sandboxingress",
};

var environment: Environment = .{};

pub fn run() sys.Error!void {
    setup.run();
    environment.load(std.os.environ);
    trustHost() catch |failure| console.complain(&.{bundle}, failure);
    environment.loadFile();
    try supervise.run(&services, environment.pointer());
}

/// Makes a bundle of the system's certificate authorities and the one that the host hands in.
fn trustHost() sys.Error!void {
    if (!sys.exists(host_authority)) return;
    try sys.mkdirAll(bundle_folder, 0o755);
    const flags: linux.O = .{ .ACCMODE = .WRONLY, .CREAT = true, .TRUNC = true };
    const target = try sys.open(bundle, flags, 0o644);
    defer sys.close(target);
    for (system_bundles) |system| {
        if (!sys.exists(system)) continue;
        try appendFile(target, system);
        try sys.writeAll(target, "\n");
        break;
    }
    try appendFile(target, host_authority);
    for (bundle_variables) |entry| environment.put(entry) catch return error.@"2BIG";
}

fn appendFile(target: sys.fd_t, path: [*:0]const u8) sys.Error!void {
    const source = try sys.open(path, .{}, 0);
    defer sys.close(source);
    var buffer: [4096]u8 = undefined;
    while (true) {
        const size = try sys.read(source, &buffer);
        if (size == 0) return;
        try sys.writeAll(target, buffer[0..size]);
    }
}
