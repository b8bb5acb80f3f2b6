"""Where each promise about bad input is kept: what peers do wrong, and what hostile guests,
mirrors, packages, images, configs and hosts may try.

A row names tests; a test that is renamed or removed takes its row along, or fails here.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

PROMISES: dict[str, tuple[str, ...]] = {
    # What peers do wrong.
    "packages unverified": (
        "cli/test_bad_input.py::test_a_tampered_package_is_refused",
        "sources/debian/test_deb.py::test_a_package_whose_bytes_are_others_is_never_opened",
        "pipeline/test_alpine_build.py::test_a_tampered_package_is_refused",
        "sources/alpine/test_apk.py::test_every_byte_of_a_package_counts",
    ),
    "version bounds dropped": (
        "sources/alpine/test_solver.py::test_two_bounds_for_one_name",
        "cli/test_bad_input.py::test_an_impossible_version_is_explained",
    ),
    "!x read as a request": ("sources/alpine/test_solver.py::test_a_conflict_is_no_request",),
    "a missing package is a warning": (
        "cli/test_bad_input.py::test_a_misspelt_package_stops_before_anything_is_downloaded",
        "pipeline/test_alpine_build.py::test_a_misspelt_package_stops_before_anything_is_fetched",
    ),
    "files below lib of a merged usr are lost": (
        "sources/debian/test_unpack.py::test_usr_is_merged_from_the_start",
        "sources/debian/test_unpack.py::test_a_link_to_a_folder_stays_and_is_followed",
        "sources/alpine/test_install.py::test_a_folder_below_a_link",
        "pipeline/test_alpine_bad_input.py::test_files_below_a_merged_folder_are_kept",
    ),
    "modes, owners, attributes are lost": (
        "sources/alpine/test_install.py::test_every_kind_of_entry",
        "sources/alpine/test_install.py::test_extended_attributes",
        "sandbox/test_changes.py::test_attributes_come_back",
        "pipeline/test_alpine_bad_input.py::test_modes_and_owners_are_the_packages",
        "pipeline/test_alpine_bad_input.py::test_extended_attributes_are_kept",
    ),
    "the builder's ids in the image": (
        (
            "pipeline/test_debian_build.py::"
            "test_another_place_time_locale_and_cache_give_the_same_bytes"
        ),
        "pipeline/test_alpine_build.py::test_another_user_and_store_make_the_same_bytes",
        "pipeline/test_alpine_bad_input.py::test_nobody_owns_files_but_whom_a_package_names",
    ),
    "index cache never refreshed": (
        "store/test_index_cache.py::test_a_changed_index_is_seen_at_once",
        "store/test_index_cache.py::test_an_old_index_is_not_passed_off_as_new",
        "pipeline/test_alpine_bad_input.py::test_a_changed_mirror_and_another_one_are_seen",
    ),
    "cache keys without the mirror": (
        "store/test_index_cache.py::test_another_mirror_is_another_index",
        "pipeline/test_alpine_bad_input.py::test_a_changed_mirror_and_another_one_are_seen",
    ),
    "links in packages reach files of this machine": (
        "tree/test_overlay.py::test_escape_attempts_end_inside_the_root",
        "tree/test_overlay.py::test_a_hard_link_through_a_symbolic_link_stays_inside",
        "sources/debian/test_unpack.py::test_a_link_out_of_the_tree_leads_into_it",
        "sources/alpine/test_install.py::test_a_link_out_of_the_root_stays_inside",
        "sources/alpine/test_apk.py::test_hostile_names",
        "sources/debian/test_unpack.py::test_a_path_that_climbs",
        "pipeline/test_logins.py::test_keys_stay_inside_the_image_where_links_lead_out",
        "pipeline/test_alpine_bad_input.py::test_a_hostile_package_ends_the_build",
        "pipeline/test_alpine_bad_input.py::test_an_init_that_is_a_link_is_replaced_in_the_image_alone",
    ),
    "a root to begin with that is hostile": (
        (
            "sources/alpine/test_minirootfs.py::"
            "test_a_hostile_archive_is_refused_and_nothing_is_written"
        ),
        "sources/alpine/test_minirootfs.py::test_a_root_that_is_wrong_or_lies_is_refused",
        "sources/alpine/test_minirootfs.py::test_a_bomb_is_put_out_early",
        "pipeline/test_alpine_minirootfs.py::test_a_hostile_one_ends_the_build_before_it_begins",
        "pipeline/test_alpine_minirootfs.py::test_another_one_than_the_config_says_is_not_taken",
    ),
    "commands inherit the host's environment": (
        "sandbox/test_isolation.py::test_the_environment_is_only_the_jobs",
        "sandbox/test_isolation.py::test_no_process_tells_the_hosts_environment",
        (
            "pipeline/test_alpine_bad_input.py::"
            "test_nothing_of_the_hosts_environment_or_resolver_is_in_the_image"
        ),
    ),
    "commands have no /dev": (
        "sandbox/test_isolation.py::test_the_usual_devices_are_devices",
        "pipeline/test_alpine_bad_input.py::test_commands_have_devices_and_leave_none_behind",
    ),
    "commands die of much output": ("sandbox/test_commands.py::test_megabytes_of_output",),
    "one error text for every mistake": (
        "config/test_parse.py::test_all_mistakes_come_in_one_report_and_unknown_keys_beside_them",
    ),
    "a manifest with ../ or a forged id verifies": (
        "manifest/test_manifest.py::test_a_bad_manifest_is_refused",
        "pipeline/test_debian_build.py::test_verify_names_what_is_wrong",
        "library/test_pulling.py::test_a_claimed_build_id_is_not_believed",
    ),
    "an imported image is trusted": (
        "library/test_intake.py::test_what_is_not_right_is_refused",
        "library/test_archive.py::test_links_and_ways_out_are_refused",
    ),
    "nine bytes are a root file system": (
        "pipeline/test_asset_formats.py::test_root_file_systems",
        "sdk/test_boot_files.py::test_files_cut_short_are_noticed_before_the_boot",
    ),
    "a name leaves the folder": (
        "library/test_reference.py::test_a_bad_name_is_refused",
        "library/test_removal.py::test_a_link_out_of_the_library_goes_alone",
    ),
    "keys thrown away, kinds of keys refused": (
        "config/test_parse.py::test_keys_of_every_kind_are_taken",
        (
            "pipeline/test_logins_boot.py::"
            "test_a_user_logs_in_with_the_key_on_the_port_that_is_asked_for"
        ),
    ),
    "stopping loses data": (
        "vm/test_live_machine.py::test_stopping_is_orderly_and_quick",
        "vm/test_live_machine.py::test_what_was_written_is_there_after_a_checkpoint",
    ),
    "host keys empty after a power loss": (
        "guest/test_sshd_script.py::test_a_key_is_whole_whatever_a_power_loss_left",
    ),
    "the host's resolv.conf in the image": (
        "sandbox/test_isolation.py::test_the_hosts_name_servers_are_seen_and_not_kept",
    ),
    "two builds are never equal": (
        (
            "pipeline/test_debian_build.py::"
            "test_another_place_time_locale_and_cache_give_the_same_bytes"
        ),
    ),
    "holes are filled": (
        "library/test_intake.py::test_holes_stay_and_zeros_become_some",
        "host/test_files.py::test_a_sparse_copy_stays_sparse",
    ),
    # Guests against their host.
    "frames cut, oversized, malformed": (
        "vm/test_agent_protocol.py::test_broken_bytes_end_the_line",
        "vm/test_agent_protocol.py::test_broken_messages_end_the_command",
        "vm/test_frame.py::test_messages_survive_any_cut_of_the_stream",
        "guest/test_agent_connection.py::test_a_malformed_frame_ends_the_connection",
        "guest/test_agent_connection.py::test_random_messages_never_stop_the_agent",
    ),
    "CBOR that grows": ("vm/test_cbor.py::test_malformed",),
    "floods": (
        "vm/test_flow.py::test_a_message_costs_what_it_takes_in_memory",
        "vm/test_agent_protocol.py::test_a_file_without_end_is_given_up",
        "vm/kept/test_relay.py::test_a_guest_that_floods_a_client_who_does_not_read",
        "guest/test_agent_flow.py::test_output_never_exceeds_its_window",
    ),
    "a share is left or exhausts the host": (
        "host/test_shared_folder.py::test_no_way_out",
        "host/test_shared_folder.py::test_a_folder_that_becomes_a_link_while_it_is_used",
        "vm/shares/test_operations.py::test_half_of_the_descriptors_stay_for_the_host",
        "vm/shares/test_operations.py::test_making_and_removing_for_ever_leaves_nothing_in_memory",
        "sdk/test_vm_disks.py::test_a_shared_folder_that_is_removed_meanwhile",
    ),
    "a download leaves its folder": (
        "vm/test_transfer.py::test_a_hostile_archive_stays_in_its_folder",
    ),
    "a disk names files of this machine": (
        "vm/test_checkpoint.py::test_a_stranger_s_disk_reads_no_other_file_of_this_machine",
    ),
    "escape sequences": (
        "model/test_plain_text.py::test_what_is_shown",
        "cli/test_image.py::test_a_manifest_does_not_control_the_terminal",
    ),
    "a guest that never answers, an agent that dies": (
        "vm/test_runner.py::test_a_guest_that_never_answers",
        "vm/test_live_machine.py::test_an_agent_that_is_killed_ends_its_commands",
        "vm/test_live_machine.py::test_a_machine_whose_plug_is_pulled_ends_every_command",
    ),
    "many commands": (
        "vm/test_agent.py::test_a_thousand_in_a_row",
        "vm/test_agent.py::test_sixty_four_at_once",
    ),
    "a full disk in the guest": (
        "sdk/test_vm.py::test_a_full_disk_is_an_error_and_the_machine_goes_on",
    ),
    "values that no machine can have": (
        "sdk/test_vm_options.py::test_what_no_machine_can_have",
        "sdk/test_vm_options.py::test_ports_that_are_none",
        "sdk/test_vm.py::test_what_no_program_can_be_given",
    ),
    "a checkpoint loses what it was to keep": (
        "vm/test_checkpoint.py::test_no_room_is_known_before",
        "vm/test_checkpoint.py::test_an_image_that_was_moved_is_known_before",
        "vm/kept/test_machines.py::test_a_checkpoint_that_fails_when_the_machine_is_stopped",
    ),
    "a closed standard stream is taken for another": (
        "host/test_standard_streams.py::test_a_closed_stream_is_nobody_elses",
        "cli/test_machines.py::test_a_stream_of_ours_that_is_closed",
    ),
    "an order that is none": ("vm/kept/test_order.py::test_what_is_no_order",),
    "two hosts on one image": ("vm/test_live_machine.py::test_two_machines_on_one_image",),
    # Mirrors, hosts and processes.
    "signatures wrong, missing, a stranger's": (
        "cli/test_bad_input.py::test_an_unsigned_archive_is_refused",
        "cli/test_bad_input.py::test_a_strangers_signature_is_refused",
        "sources/alpine/test_trust.py::test_what_is_refused",
    ),
    "a mirror that dies, lies, or sends bombs": (
        "cli/test_bad_input.py::test_a_mirror_that_dies_half_way",
        "store/test_fetch.py::test_another_size_than_promised_is_refused_at_once",
        "host/test_http.py::test_what_no_server_should_answer",
        "sources/alpine/test_apk.py::test_a_bomb_of_a_mirror_does_not_go_off",
    ),
    "a password in a mirror's address": (
        "sources/debian/test_mirror.py::test_a_mirror_must_be_an_address",
    ),
    "secrets of the build": (
        "pipeline/test_build_access.py::test_commands_have_it_and_nothing_keeps_it",
        "pipeline/test_build_access.py::test_a_layer_with_a_secret_is_refused_and_not_kept",
        "config/test_parse.py::test_what_is_secret_is_not_in_the_json",
    ),
    "a full or read-only disk": (
        "vm/test_disk_errors.py::test_what_qemu_says",
        "pipeline/test_hard_places.py::test_a_disk_that_takes_no_more",
        "cli/test_bad_input.py::test_a_cache_that_cannot_be_written",
    ),
    "a damaged store": (
        "pipeline/test_hard_places.py::test_a_damaged_package_in_the_store_is_fetched_again",
    ),
    "killed at any moment": (
        "pipeline/test_interruption.py::test_an_interrupted_build_is_repaired_by_the_next",
        "pipeline/test_alpine_endings.py::test_a_build_that_is_interrupted",
        "library/test_intake.py::test_killed_at_any_moment",
        "sandbox/test_vm.py::test_whoever_ends_bootsmith_nothing_stays",
        "cli/test_sessions.py::test_nothing_is_left_of_a_command_that_was_killed",
        "vm/kept/test_machines.py::test_a_keeper_takes_its_machine_along",
    ),
    "several at once": (
        "pipeline/test_interruption.py::test_two_builds_at_once_share_a_store_and_an_output",
        "library/test_intake.py::test_many_at_once",
        "library/test_removal.py::test_prune_removes_what_was_left_behind_and_nothing_under_way",
        "vm/kept/test_machines.py::test_its_name_is_taken",
    ),
    "a number that is another process's by now": (
        "host/test_background.py::test_another_process_that_has_its_number_by_now",
        "vm/kept/test_machines.py::test_what_no_machine_can_have_noted",
    ),
    "wrong architecture, no QEMU, a kernel without drivers": (
        "cli/test_bad_input.py::test_an_architecture_the_archive_does_not_have",
        "pipeline/test_hard_places.py::test_without_qemu_the_fix_is_named",
        "image/test_boot_modules.py::test_a_kernel_that_lacks_a_driver_is_refused",
    ),
}


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_has_its_tests(promise: str) -> None:
    for row in PROMISES[promise]:
        path, _, name = row.partition("::")
        assert name in names_in(path), row


def test_the_check_notices_a_test_that_is_gone() -> None:
    assert "test_that_nobody_wrote" not in names_in("style/test_promises.py")
