"""The dossier de recouvrement of a customer: handed over, gathered as one file, taken back.

`handing` takes the customer out of the chase; `building` puts the file together in the
background out of `contents`; `sheets` draws its PDFs, `book` its workbook, `names` its paths.
"""
