//! Certificates, keys, signatures and password stores.

use super::{NONE, Type, binary, either, text};

#[rustfmt::skip]
pub(super) static TYPES: &[Type] = &[
    either("application/pgp-keys", "key", NONE, "asc gpg pgp"),
    either("application/pgp-signature", "key", NONE, "sig"),
    either("application/pkcs10", "key", NONE, "p10"),
    either("application/pkcs7-mime", "key", NONE, "p7m p7c p7z"),
    either("application/pkcs7-signature", "key", NONE, "p7s"),
    either("application/pkcs8", "key", NONE, "p8 pk8"),
    either("application/pkix-crl", "key", NONE, "crl"),
    either("application/vnd.age", "key", NONE, "age"),
    either("application/x-1password", "key", NONE, "1pif 1pux opvault"),
    binary("application/x-gpg", "key", NONE, ""),
    binary("application/x-java-keystore", "key", NONE, "jks keystore"),
    binary("application/x-keepass1", "key", NONE, "kdb"),
    binary("application/x-keepass2", "key", NONE, "kdbx"),
    text("application/x-pem-file", "key", NONE, "pem key csr"),
    binary("application/x-pkcs12", "key", NONE, "p12 pfx"),
    either("application/x-pkcs7-certificates", "key", NONE, "p7b spc"),
    either("application/x-pkcs7-certreqresp", "key", NONE, "p7r"),
    text("application/x-putty-key", "key", NONE, "ppk"),
    text("application/x-ssh-public-key", "key", NONE, "pub"),
    either("application/x-x509-ca-cert", "key", NONE, "crt cer der"),
];
