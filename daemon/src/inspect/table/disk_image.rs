//! Copies of whole media: disks, discs, cartridges and virtual machines.

use super::{NONE, TAR, Type, XML, binary, text};

#[rustfmt::skip]
pub(super) static TYPES: &[Type] = &[
    binary("application/x-amiga-disk-format", "disk-image", NONE, "adf"),
    binary("application/x-atari-7800-rom", "disk-image", NONE, "a78"),
    binary("application/x-cd-image", "disk-image", NONE, "mdf nrg"),
    binary("application/x-commodore-64-cartridge", "disk-image", NONE, ""),
    binary("application/x-commodore-64-disk", "disk-image", NONE, "d64"),
    binary("application/x-commodore-64-program", "disk-image", NONE, "prg"),
    binary("application/x-gameboy-color-rom", "disk-image", NONE, "gbc"),
    binary("application/x-gameboy-rom", "disk-image", NONE, "gb"),
    binary("application/x-gamegear-rom", "disk-image", NONE, "gg"),
    binary("application/x-gba-rom", "disk-image", NONE, "gba"),
    binary("application/x-genesis-rom", "disk-image", NONE, "gen smd"),
    binary("application/x-iso9660-image", "disk-image", NONE, "iso"),
    binary("application/x-n64-rom", "disk-image", NONE, "z64 n64 v64"),
    binary("application/x-neo-geo-pocket-rom", "disk-image", NONE, "ngp"),
    binary("application/x-nintendo-ds-rom", "disk-image", NONE, "nds"),
    binary("application/x-nintendo-nes-rom", "disk-image", NONE, "nes"),
    binary("application/x-nintendo-switch-package", "disk-image", NONE, "nsp"),
    binary("application/x-nintendo-switch-rom", "disk-image", NONE, "xci"),
    binary("application/x-qemu-disk", "disk-image", NONE, "qcow2 qcow"),
    binary("application/x-raw-disk-image", "disk-image", NONE, "img ima vfd"),
    binary("application/x-sms-rom", "disk-image", NONE, "sms"),
    binary("application/x-snes-rom", "disk-image", NONE, "sfc smc"),
    binary("application/x-toast", "disk-image", NONE, "toast"),
    binary("application/x-vhd", "disk-image", NONE, "vhd"),
    binary("application/x-vhdx", "disk-image", NONE, "vhdx"),
    binary("application/x-virtualbox-hdd", "disk-image", NONE, "hdd"),
    binary("application/x-virtualbox-ova", "disk-image", TAR, "ova"),
    text("application/x-virtualbox-ovf", "disk-image", XML, "ovf"),
    text("application/x-virtualbox-vbox", "disk-image", XML, "vbox"),
    binary("application/x-virtualbox-vdi", "disk-image", NONE, "vdi"),
    binary("application/x-vmdk", "disk-image", NONE, "vmdk"),
];
