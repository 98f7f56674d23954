//! Rules that ask what files say of themselves: music by artist, texts by what stands in them.

use std::fs;

use tidy_tests::World;

const CONFIG: &str = r#"
watch = ["~/Downloads"]
settle = "100ms"

[[rule]]
name = "music"
when = { kind = "audio", has = "artist" }
move = "~/Music/{album_artist|artist}/{album|'Singles'}/{disc?:%d-}{track?:%02d }{title|stem}.{ext}"

[[rule]]
name = "invoices"
when = { kind = "document", text = '(?i)\binvoice no\. (?P<no>[A-Z]{2}-\d+)' }
move = "~/Invoices/{text.no}.{ext}"
"#;

/// An ID3v2.3 tag in front of some frames of silence.
fn mp3(frames: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, value) in frames {
        let text = [b"\x03".as_slice(), value.as_bytes()].concat();
        body.extend(id.as_bytes());
        body.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        body.extend([0, 0]);
        body.extend(text);
    }
    let size = [0, 0, u8::try_from(body.len() >> 7).unwrap(), (body.len() & 0x7f) as u8];
    let silence = [b"\xff\xfb\x90\x00".as_slice(), &[0; 413]].concat();
    [b"ID3\x03\0\0".as_slice(), &size, &body, &silence.repeat(8)].concat()
}

#[test]
fn music_goes_by_artist_and_texts_by_what_they_say() {
    let world = World::new();
    world.configure(CONFIG);
    let tags = [("TPE1", "AC/DC"), ("TALB", "High Voltage"), ("TIT2", "T.N.T."), ("TRCK", "4")];
    world.write("Downloads/download.mp3", mp3(&tags));
    world.write("Downloads/untagged.mp3", mp3(&[]));
    world.write("Downloads/mail.txt", "Dear customer,\nInvoice no. RE-4711 is due.\n");
    let letter = world.write("Downloads/letter.txt", "Dear all,\nnothing is due.\n");
    let daemon = world.start();
    world.wait();
    let home = world.home();
    assert!(home.join("Music/AC-DC/High Voltage/04 T.N.T.mp3").exists());
    assert!(home.join("Invoices/RE-4711.txt").exists());
    // What the rules do not take goes by its category.
    assert!(world.downloads().join("Music/untagged.mp3").exists());
    assert!(world.downloads().join("Documents/letter.txt").exists());
    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert_eq!(fs::read_to_string(letter).unwrap(), "Dear all,\nnothing is due.\n");
    daemon.kill();
}
