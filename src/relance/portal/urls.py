"""Addresses of the pages without login, for those who are asked: the token is the key."""

from django.urls import path

from relance.portal import invoices, views

urlpatterns = [
    path("j/<str:token>/", views.everything, name="portal_list"),
    path("j/<str:token>/excel/", views.excel, name="portal_excel"),
    path("j/<str:token>/excel/<str:filename>", views.workbook, name="portal_workbook"),
    path("j/<str:token>/<int:pk>/", views.one, name="portal_one"),
    path("j/<str:token>/<int:pk>/document/<int:link>/", views.found, name="portal_found"),
    path("f/<str:token>/", invoices.statement, name="portal_invoices"),
    path("f/<str:token>/<int:pk>/facture", invoices.document, name="portal_invoice"),
]
