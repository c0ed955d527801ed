"""Paths inside the file that any computer unpacks, whatever numbers and names people wrote."""

import re
import unicodedata

LONGEST = 80
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def safe(text: str, extension: str = "") -> str:
    """One name of letters, digits, `-`, `_`, `.` and spaces, at most 80 characters; never empty.

    No separator, no control or formatting character, no leading dot, no name that Windows keeps
    for itself: nothing leaves the folder into which one unpacks.
    """
    clean = unicodedata.normalize("NFC", text)
    clean = re.sub(r"[^\w .\-]+", "-", clean)
    clean = re.sub(r"\.{2,}", ".", clean).strip(" .-_")
    stem = clean[: LONGEST - len(extension)].strip(" .-_") or "sans-nom"
    if _RESERVED.fullmatch(stem):
        stem = f"_{stem}"
    return stem + extension


class Names:
    """Gives every path once: two that a computer may take for the same are numbered."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, folder: str, name: str) -> str:
        """`folder/name`, or `folder/name-2` when that is taken; `name` is safe already."""
        stem, dot, extension = name.rpartition(".")
        stem, extension = (stem, dot + extension) if stem else (name, "")
        number = 1
        while True:
            tried = f"{stem}{'' if number == 1 else f'-{number}'}{extension}"
            path = f"{folder}/{tried}" if folder else tried
            key = unicodedata.normalize("NFKC", path).casefold()
            if key not in self._taken:
                self._taken.add(key)
                return path
            number += 1
