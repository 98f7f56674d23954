//! What installs a program or is one.

use super::{GZIP, NONE, OLE, RAW_DISK, SQUASHFS, TAR, Type, XAR, XML, ZIP, binary, either, text};

#[rustfmt::skip]
pub(super) static TYPES: &[Type] = &[
    text("application/appinstaller", "installer", XML, "appinstaller"),
    binary("application/vnd.adobe.air-application-installer-package+zip", "installer", ZIP, "air"),
    binary("application/vnd.android.aab", "installer", ZIP, "aab"),
    binary("application/vnd.android.package-archive", "installer", ZIP, "apk xapk apks apkm"),
    binary("application/vnd.apple.installer+xml", "installer", XAR, "pkg mpkg"),
    binary("application/vnd.debian.binary-package", "installer", NONE, "deb udeb"),
    binary("application/vnd.flatpak", "installer", NONE, "flatpak"),
    text("application/vnd.flatpak.ref", "installer", NONE, "flatpakref flatpakrepo"),
    binary("application/vnd.microsoft.portable-executable", "installer", NONE, "exe dll scr sys ocx com"),
    binary("application/vnd.ms-appx", "installer", ZIP, "appx msix"),
    binary("application/vnd.ms-appx.bundle", "installer", ZIP, "appxbundle msixbundle"),
    binary("application/vnd.snap", "installer", SQUASHFS, "snap"),
    binary("application/vnd.symbian.install", "installer", NONE, "sis sisx"),
    binary("application/vsix", "installer", ZIP, "vsix"),
    binary("application/x-appimage", "installer", NONE, "appimage"),
    binary("application/x-apple-diskimage", "installer", RAW_DISK, "dmg"),
    binary("application/x-coff", "installer", NONE, "coff"),
    either("application/x-executable", "installer", NONE, "elf so run xbe xex"),
    binary("application/x-google-chrome-extension", "installer", NONE, "crx"),
    binary("application/x-ios-app", "installer", ZIP, "ipa"),
    binary("application/x-itunes-ipsw", "installer", ZIP, "ipsw"),
    text("application/x-java-jnlp-file", "installer", XML, "jnlp"),
    binary("application/x-mach-binary", "installer", NONE, "dylib mach bundle"),
    binary("application/x-msi", "installer", OLE, "msi msp msm"),
    binary("application/x-nintendo-switch-executable", "installer", NONE, "nso"),
    binary("application/x-nuget", "installer", ZIP, "nupkg"),
    binary("application/x-rpm", "installer", NONE, "rpm"),
    binary("application/x-ruby-gem", "installer", TAR, "gem"),
    binary("application/x-silverlight-app", "installer", ZIP, "xap"),
    binary("application/x-virtualbox-vbox-extpack", "installer", GZIP, "vbox-extpack"),
    binary("application/x-wheel+zip", "installer", ZIP, "whl"),
    binary("application/x-xpinstall", "installer", ZIP, "xpi"),
];
