"""Pictures that are already pages of a PDF: in the HTML a plain image holds the place of each, and its page replaces it in print.

What WeasyPrint draws of an SVG it draws element by element: a third of the time of a report went there.

>>> holder(258, 100.0, 50.0)[:22]
'data:image/png;base64,'
"""

from __future__ import annotations

import base64
import io
from typing import Any

from pikepdf import Array, Name, Page, Pdf, PdfImage
from PIL import Image

#: Pixels of a holder for each point of its picture, so that rounding changes the ratio of its sides by nothing seen.
_SCALE = 1
_BYTE = 256


def holder(number: int, width: float, height: float) -> str:
    """The address of an image as wide and high as the picture (points); *number*, the page of the picture, is its colour."""
    colour = (number // _BYTE**2, number // _BYTE % _BYTE, number % _BYTE)
    made = io.BytesIO()
    Image.new("RGB", (round(_SCALE * width), round(_SCALE * height)), colour).save(made, "PNG")
    return f"data:image/png;base64,{base64.b64encode(made.getvalue()).decode()}"


def place(pdf: Pdf, pictures: Pdf) -> None:
    """Let each page of *pictures* stand in *pdf* where its holder stands."""
    forms = [_form(pdf, page) for page in pictures.pages]
    seen: set[tuple[int, int]] = set()
    for page in pdf.pages:
        images: Any = page.obj.Resources.get("/XObject", {})
        for name, image in list(images.items()):
            if image.get("/Subtype") == Name.Image and image.objgen not in seen:
                images[name] = forms[_number(image)]
                seen.add(images[name].objgen)


def _form(pdf: Pdf, page: Page) -> Any:
    """*page* as something to draw, scaled to the square of side 1 in which an image is drawn."""
    form = pdf.copy_foreign(page.as_form_xobject())
    left, bottom, right, top = (float(side) for side in page.mediabox)
    width, height = right - left, top - bottom
    form.BBox = Array([left, bottom, right, top])
    form.Matrix = Array([1 / width, 0, 0, 1 / height, -left / width, -bottom / height])
    return form


def _number(image: Any) -> int:
    colour: Any = PdfImage(image).as_pil_image().getpixel((0, 0))
    red, green, blue = colour
    return int(red * _BYTE**2 + green * _BYTE + blue)
