//! Rules that ask what files say of themselves: music by artist, texts by what stands in them.

use std::fs;

use tidy_tests::World;
use tidy_tests::files::music;

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

#[test]
fn music_goes_by_artist_and_texts_by_what_they_say() {
    let world = World::new();
    world.configure(CONFIG);
    let tags = [("TPE1", "AC/DC"), ("TALB", "High Voltage"), ("TIT2", "T.N.T."), ("TRCK", "4")];
    world.write("Downloads/download.mp3", music(&tags));
    world.write("Downloads/untagged.mp3", music(&[]));
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
